//! What Gram matrices of per-sample gradients are made of. None of it has a backward pass.

use burn::{
    backend::Dispatch,
    tensor::{Slice, Tensor},
};

use crate::{Window, backend::UntrackedKernels, has_kernels};

/// The gradient of each sample with respect to the weight of a [`convolution`](crate::convolution), `[batch, outputs · inputs · kernel²]`,
/// from x and the cotangent `[batch, outputs, h, w]` at its output.
///
/// # Panics
/// Where [`has_kernels`] is false for x, or a tensor belongs to an autodiff graph.
pub fn sample_gradients(x: Tensor<4>, delta: Tensor<4>, window: Window) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::sample_gradients(x.into_dispatch(), delta.into_dispatch(), window))
}

/// x xᵀ `[n, n]` of x `[n, p]`, the inner products of its rows.
pub fn gram(x: Tensor<2>) -> Tensor<2> {
    match has_kernels(&x) && !x.is_autodiff() {
        true => Tensor::from_dispatch(Dispatch::gram(x.into_dispatch())),
        false => x.clone().matmul(x.transpose()),
    }
}

/// Σ a b of each row, `[n]`, of a and b `[n, p]`.
pub fn row_products(a: Tensor<2>, b: Tensor<2>) -> Tensor<1> {
    match has_kernels(&a) && a.dims() == b.dims() && !a.is_autodiff() && !b.is_autodiff() {
        true => Tensor::from_dispatch(Dispatch::row_products(a.into_dispatch(), b.into_dispatch())),
        false => (a * b).sum_dim(1).flatten(0, 1),
    }
}

/// Σ x of each row, `[n]`, of x `[n, p]`.
pub fn row_sums(x: Tensor<2>) -> Tensor<1> {
    match has_kernels(&x) && !x.is_autodiff() {
        true => Tensor::from_dispatch(Dispatch::row_sums(x.into_dispatch())),
        false => x.sum_dim(1).flatten(0, 1),
    }
}

/// The inner products of sample gradients of a convolution's weight, `[m, r]`, of m samples with r cotangents of n samples, r a multiple
/// of n: Σ over pairs of positions (t, s) of ⟨δ_t, δ_s⟩ ⟨u_t, u_s⟩, with u_t the patch of the input under position t.
///
/// From the inner products of pixels `[m · height · width, height · width · n]` and those of cotangents at positions of the output
/// `[m · h · w, h · w · r]`; columns lie position by position, so that those of all samples at a pair of positions lie side by side. Two patches
/// are as many pairs of pixels as the kernel has entries: nothing is unfolded.
///
/// # Panics
/// Where the shapes do not fit together.
pub fn patch_products(
    pixels: Tensor<2>,
    cotangents: Tensor<2>,
    window: Window,
    [height, width]: [usize; 2],
) -> Tensor<2> {
    let (image, [h, w]) = (height * width, [window.output(height), window.output(width)]);
    let ([p_rows, p_columns], [d_rows, d_columns]) = (pixels.dims(), cotangents.dims());
    let (m, n, r) = (p_rows / image, p_columns / image, d_columns / (h * w));
    let fits = [m * image, n * image, m * h * w, r * h * w] == [p_rows, p_columns, d_rows, d_columns];
    assert!(fits && n > 0 && r % n == 0, "{:?} and {:?} do not fit together", pixels.dims(), cotangents.dims());
    if has_kernels(&pixels) && !pixels.is_autodiff() && !cotangents.is_autodiff() {
        let (pixels, cotangents) = (pixels.into_dispatch(), cotangents.into_dispatch());
        return Tensor::from_dispatch(Dispatch::patch_products(pixels, cotangents, window, [height, width]));
    }
    let Window { kernel, stride, padding } = window;
    let around = (padding, padding);
    let padded =
        pixels.reshape([m, height, width, height, width, n]).pad([(0, 0), around, around, around, around, (0, 0)], 0.0);
    let cut = |entry: usize, out: usize| {
        Slice::new(entry as isize, Some((entry + (out - 1) * stride + 1) as isize), stride as isize)
    };
    let at = |k: usize| {
        let (rows, columns) = (cut(k / kernel, h), cut(k % kernel, w));
        padded.clone().slice([Slice::from(0..m), rows, columns, rows, columns, Slice::from(0..n)])
    };
    let patches = (1..kernel * kernel).fold(at(0), |sum, k| sum + at(k)).reshape([m, h * w * h * w, 1, n]);
    let products = cotangents.reshape([m, h * w * h * w, r / n, n]) * patches;
    products.sum_dim(1).reshape([m, r])
}
