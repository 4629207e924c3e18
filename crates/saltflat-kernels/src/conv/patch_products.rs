//! Inner products of the sample gradients of a convolution's weight from inner products at pairs of positions.

use burn::tensor::{Shape, Slice, Tensor};

use super::window::Window;
use crate::{
    operation::{from_flex, to_flex},
    simd::Real,
    slices::kernel,
    switch::has_untracked_kernels,
    tasks::each_chunk_with,
};

/// The inner products of sample gradients of a convolution's weight, `[m, r]`, of m samples with r cotangents of n samples, r a multiple
/// of n: Σ over pairs of positions (t, s) of ⟨δ_t, δ_s⟩ ⟨u_t, u_s⟩, with u_t the patch of the input under position t.
///
/// From the inner products of pixels `[m · height · width, height · width · n]` and those of cotangents at positions of the output
/// `[m · h · w, h · w · r]`; columns lie position by position, so that those of all samples at a pair of positions lie side by side. Two patches
/// are as many pairs of pixels as the kernel has entries: nothing is unfolded.
///
/// # Panics
/// If the shapes do not fit together.
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
    if has_untracked_kernels(&pixels) && !cotangents.is_autodiff() {
        let (pixels, cotangents) = (to_flex(pixels), to_flex(cotangents));
        let under = window.pixels_under([height, width]);
        let products = kernel!(
            [pixels, cotangents] -> Shape::new([m, r]),
            products([pixels, cotangents], [m, r], image, &under)
        );
        return from_flex(products);
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

/// Σ over positions t, s and entries k of the kernel of D[i t, s r] P[i (t + k), (s + k) j(r)] `[rows, columns]`, from P `[rows · pixels,
/// pixels · samples]` and D `[rows · positions, positions · columns]`; columns are a multiple of the samples, r = (…, j).
fn products<T: Real>(
    [p, d]: [&[T]; 2],
    [rows, columns]: [usize; 2],
    pixels: usize,
    under: &[Vec<Option<usize>>],
) -> Vec<T> {
    let (positions, area) = (under.len(), under.first().map_or(0, Vec::len));
    let samples = p.len() / (rows * pixels * pixels).max(1);
    let arch = pulp::Arch::new();
    let mut out = vec![T::default(); rows * columns];
    let make = |sum: &mut Vec<T>, row: usize, out: &mut [T]| {
        arch.dispatch(|| {
            for (t, t_under) in under.iter().enumerate() {
                for (s, s_under) in under.iter().enumerate() {
                    // The inner products of patch t of this sample and patch s of every one.
                    sum.fill(T::default());
                    for (a, b) in t_under.iter().zip(s_under).filter_map(|(a, b)| a.zip(*b)) {
                        let p = &p[((row * pixels + a) * pixels + b) * samples..][..samples];
                        for (sum, &p) in sum.iter_mut().zip(p) {
                            *sum += p;
                        }
                    }
                    let d = &d[((row * positions + t) * positions + s) * columns..][..columns];
                    for (out, d) in out.chunks_exact_mut(samples).zip(d.chunks_exact(samples)) {
                        for ((out, &d), &sum) in out.iter_mut().zip(d).zip(&*sum) {
                            *out += d * sum;
                        }
                    }
                }
            }
        });
    };
    each_chunk_with(&mut out, columns, p.len() * area + d.len(), || vec![T::default(); samples], make);
    out
}
