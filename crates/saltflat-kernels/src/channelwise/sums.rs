//! Sums over images and positions.

use burn::{
    backend::{TensorMetadata, flex::FlexTensor},
    tensor::Shape,
};

use super::layout::Channels;
use crate::{
    reduce::{product, sum},
    slices::kernel,
};

/// Σ x over images and positions, `[channels]`: the gradient of an offset.
pub(crate) fn channel_sums(x: &FlexTensor) -> FlexTensor {
    let sizes = Channels::new(&x.shape());
    kernel!([x] -> Shape::new([sizes.channels]), sizes.sums(x.len(), |plane| sum(&x[plane])))
}

/// Σ a b over images and positions, `[channels]`: the gradient of a factor.
pub(super) fn channel_products(a: &FlexTensor, b: &FlexTensor) -> FlexTensor {
    let sizes = Channels::new(&a.shape());
    kernel!(
        [a, b] -> Shape::new([sizes.channels]),
        sizes.sums(a.len(), |plane| product(&a[plane.clone()], &b[plane]))
    )
}
