//! Gradients of each sample by itself.

use burn::{
    backend::TensorMetadata,
    tensor::{Shape, Tensor},
};

use super::{
    select,
    window::{Sizes, Window},
};
use crate::{
    operation::{from_flex, to_flex},
    slices::kernel,
};

/// The gradient of each sample with respect to the weight of a [`convolution`](crate::convolution), `[batch, outputs · inputs · kernel²]`,
/// from x and the cotangent `[batch, outputs, h, w]` at its output. It has no backward pass.
///
/// # Panics
/// If [`has_kernels`](crate::has_kernels) is false for x, or a tensor belongs to an autodiff graph.
pub fn sample_gradients(x: Tensor<4>, delta: Tensor<4>, window: Window) -> Tensor<2> {
    let weight = Shape::new([delta.dims()[1], x.dims()[1], window.kernel, window.kernel]);
    let (x, delta) = (to_flex(x), to_flex(delta));
    let sizes = Sizes::new(&x.shape(), &weight, window);
    let shape = Shape::new([sizes.images, weight.num_elements()]);
    from_flex(kernel!([x, delta] -> shape, select::sample_gradients(x, delta, &sizes)))
}
