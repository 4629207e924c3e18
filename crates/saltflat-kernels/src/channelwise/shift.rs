//! An offset for each channel.

use burn::{
    backend::{TensorMetadata, flex::FlexTensor},
    tensor::Tensor,
};

use super::layout::{Channels, channel_sums, of_channels, of_directions};
use crate::{operation::apply, simd::Real, slices::in_place, switch::has_kernels};

/// x + β of x `[batch, channels, h, w]` and β `[channels]`.
pub fn shift(x: Tensor<4>, beta: Tensor<1>) -> Tensor<4> {
    if !has_kernels(&x) {
        return x + of_channels(beta);
    }
    apply([x.into_dispatch(), beta.into_dispatch()], [], |[x, beta], []| {
        let sizes = Channels::new(&x.shape());
        let y = in_place!(x, [beta], shift_planes(x, beta, sizes));
        let backward = |delta: FlexTensor, [wants_x, wants_beta]: [bool; 2]| {
            [wants_x.then(|| delta.clone()), wants_beta.then(|| channel_sums(&delta))]
        };
        (y, backward)
    })
}

/// The first coefficient of [`shift`] along K directions, ẋ + β̇, from ẋ `[K · batch, channels, h, w]` and β̇ `[K · channels]`,
/// which is a constant to the backward pass; of a batch of `n`.
pub fn shift_first(first: Tensor<4>, v_beta: Tensor<1>, n: usize) -> Tensor<4> {
    if !has_kernels(&first) {
        let [rows, channels, _, _] = first.dims();
        return first + of_directions(v_beta, rows, n, channels);
    }
    apply([first.into_dispatch()], [v_beta.into_dispatch()], |[x], [beta]| {
        let sizes = Channels { images: n, ..Channels::new(&x.shape()) };
        let y = in_place!(x, [beta], shift_planes(x, beta, sizes));
        (y, |delta, [wanted]: [bool; 1]| [wanted.then_some(delta)])
    })
}

/// x + β, a number for each channel, or for each direction and channel.
fn shift_planes<T: Real>(x: &mut [T], beta: &[T], sizes: Channels) {
    sizes.update(x, |_, [_, _, channel], out| {
        for x in out {
            *x += beta[channel];
        }
    });
}
