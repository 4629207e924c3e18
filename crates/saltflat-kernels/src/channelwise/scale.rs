//! A factor for each channel.

use burn::{
    backend::{TensorMetadata, flex::FlexTensor},
    tensor::Tensor,
};

use super::layout::{Channels, channel_products, of_channels, of_directions};
use crate::{
    operation::{apply, from_flex, to_flex},
    reduce::over_directions,
    simd::Real,
    slices::kernel,
    switch::{has_kernels, has_untracked_kernels},
};

/// γ x of x `[batch, channels, h, w]` and γ `[channels]`.
pub fn scale(x: Tensor<4>, gamma: Tensor<1>) -> Tensor<4> {
    if !has_kernels(&x) {
        return x * of_channels(gamma);
    }
    apply([x.into_dispatch(), gamma.into_dispatch()], [], |[x, gamma], []| {
        let y = scaled(&x, &gamma);
        let backward = move |delta: FlexTensor, [wants_x, wants_gamma]: [bool; 2]| {
            [wants_x.then(|| scaled(&delta, &gamma)), wants_gamma.then(|| channel_products(&x, &delta))]
        };
        (y, backward)
    })
}

/// The first coefficient of [`scale`] along K directions, γ ẋ + γ̇ x, from ẋ `[K · batch, channels, h, w]` and γ̇
/// `[K · channels]`, which is a constant to the backward pass.
pub fn scale_first([x, first]: [Tensor<4>; 2], [gamma, v_gamma]: [Tensor<1>; 2]) -> Tensor<4> {
    if !has_kernels(&x) {
        let (rows, n) = (first.dims()[0], x.dims()[0]);
        let x = if rows > n { x.repeat_dim(0, rows / n) } else { x };
        let velocity = of_directions(v_gamma, rows, n, gamma.dims()[0]);
        return first * of_channels(gamma) + x * velocity;
    }
    let inputs = [x.into_dispatch(), first.into_dispatch(), gamma.into_dispatch()];
    apply(inputs, [v_gamma.into_dispatch()], |[x, first, gamma], [v_gamma]| {
        let shape = x.shape();
        let y = sum_scaled([&x, &first], [&gamma, &v_gamma], shape[0]);
        let backward = move |delta: FlexTensor, [wants_x, wants_first, wants_gamma]: [bool; 3]| {
            // Σ over directions of γ̇ δ.
            let input_gradient = || {
                let (sizes, n) = (Channels::new(&shape), shape.num_elements());
                kernel!([delta, v_gamma] -> shape.clone(), over_directions(scale_planes(delta, v_gamma, sizes), n))
            };
            [
                wants_x.then(input_gradient),
                wants_first.then(|| scaled(&delta, &gamma)),
                wants_gamma.then(|| channel_products(&first, &delta)),
            ]
        };
        (y, backward)
    })
}

/// The second coefficient of [`scale`], γ ẍ + 2 γ̇ ẋ, of a batch of `n`.
pub fn scale_second(
    first: Tensor<4>,
    second: Option<Tensor<4>>,
    [gamma, v_gamma]: [Tensor<1>; 2],
    n: usize,
) -> Tensor<4> {
    let doubled = v_gamma.mul_scalar(2.0);
    if has_untracked_kernels(&first) {
        let second = second.unwrap_or_else(|| first.zeros_like());
        return from_flex(sum_scaled([&to_flex(first), &to_flex(second)], [&to_flex(gamma), &to_flex(doubled)], n));
    }
    let curved = first.clone() * of_directions(doubled, first.dims()[0], n, gamma.dims()[0]);
    match second {
        Some(second) => second * of_channels(gamma) + curved,
        None => curved,
    }
}

/// γ x, also of what belongs to directions.
fn scaled(x: &FlexTensor, gamma: &FlexTensor) -> FlexTensor {
    let sizes = Channels::new(&x.shape());
    kernel!([x, gamma] -> x.shape(), scale_planes(x, gamma, sizes))
}

/// γ a + γ̇ b of a of all directions, and b of all directions or of the images.
fn sum_scaled([b, a]: [&FlexTensor; 2], [gamma, v_gamma]: [&FlexTensor; 2], images: usize) -> FlexTensor {
    let sizes = Channels { images, ..Channels::new(&a.shape()) };
    kernel!([b, a, gamma, v_gamma] -> a.shape(), sum_scaled_planes([b, a], gamma, v_gamma, sizes))
}

/// γ x, with a factor for each channel, or for each direction and channel.
fn scale_planes<T: Real>(x: &[T], gamma: &[T], sizes: Channels) -> Vec<T> {
    let positions = sizes.positions;
    sizes.each(x.len(), |start, [_, _, channel], out| {
        for (out, &x) in out.iter_mut().zip(&x[start..][..positions]) {
            *out = gamma[channel] * x;
        }
    })
}

fn sum_scaled_planes<T: Real>([b, a]: [&[T]; 2], gamma: &[T], v_gamma: &[T], sizes: Channels) -> Vec<T> {
    let (positions, directed) = (sizes.positions, b.len() == a.len());
    sizes.each(a.len(), |start, [of_image, channel, velocity], out| {
        let (gamma, v) = (gamma[channel], v_gamma[velocity]);
        let b = &b[if directed { start } else { of_image }..][..positions];
        for ((out, &a), &b) in out.iter_mut().zip(&a[start..][..positions]).zip(b) {
            *out = gamma * a + v * b;
        }
    })
}
