//! An offset for each channel.

use burn::{
    backend::{TensorMetadata, flex::FlexTensor},
    tensor::Tensor,
};

use super::{
    layout::{Channels, of_channels, of_directions},
    sums::channel_sums,
};
use crate::{
    operation::{Operation, apply},
    simd::Real,
    slices::in_place,
    switch::has_kernels,
};

/// x + β of x `[batch, channels, h, w]` and β `[channels]`.
pub fn shift(x: Tensor<4>, beta: Tensor<1>) -> Tensor<4> {
    match has_kernels(&x) {
        true => apply(Shift, [x.into_dispatch(), beta.into_dispatch()]),
        false => x + of_channels(beta),
    }
}

/// The first coefficient of [`shift`] along K directions, ẋ + β̇, from ẋ `[K · batch, channels, h, w]` and β̇ `[K · channels]`,
/// which is a constant to the backward pass; of a batch of `n`.
pub fn shift_first(first: Tensor<4>, v_beta: Tensor<1>, n: usize) -> Tensor<4> {
    if has_kernels(&first) {
        return apply(ShiftFirst { images: n }, [first.into_dispatch(), v_beta.into_dispatch()]);
    }
    let [rows, channels, _, _] = first.dims();
    first + of_directions(v_beta, rows, n, channels)
}

#[derive(Debug)]
struct Shift;

impl Operation<2> for Shift {
    type Saved = ();

    fn forward(&self, [x, beta]: [FlexTensor; 2]) -> (FlexTensor, ()) {
        let sizes = Channels::new(&x.shape());
        (in_place!(x, [beta], shift_planes(x, beta, sizes)), ())
    }

    fn backward(&self, (): (), delta: FlexTensor, wanted: [bool; 2]) -> [Option<FlexTensor>; 2] {
        [wanted[0].then(|| delta.clone()), wanted[1].then(|| channel_sums(&delta))]
    }
}

#[derive(Debug)]
struct ShiftFirst {
    images: usize,
}

impl Operation<2> for ShiftFirst {
    const CONSTANTS: usize = 1;

    type Saved = ();

    fn forward(&self, [x, beta]: [FlexTensor; 2]) -> (FlexTensor, ()) {
        let sizes = Channels { images: self.images, ..Channels::new(&x.shape()) };
        (in_place!(x, [beta], shift_planes(x, beta, sizes)), ())
    }

    fn backward(&self, (): (), delta: FlexTensor, wanted: [bool; 2]) -> [Option<FlexTensor>; 2] {
        [wanted[0].then_some(delta), None]
    }
}

/// x + β, a number for each channel, or for each direction and channel.
fn shift_planes<T: Real>(x: &mut [T], beta: &[T], sizes: Channels) {
    sizes.update(x, |_, [_, _, channel], out| {
        for x in out {
            *x += beta[channel];
        }
    });
}
