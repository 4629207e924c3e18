//! A convolution, its backward pass, and the gradients of each sample by itself.

use burn::{
    backend::{TensorMetadata, flex::FlexTensor},
    tensor::{Shape, Tensor, module, ops::ConvOptions},
};

use super::{
    select,
    window::{Sizes, Window},
};
use crate::{
    channelwise::channel_sums,
    operation::{apply, from_flex, to_flex},
    slices::kernel,
    switch::has_kernels,
};

/// W ∗ x + b `[batch, outputs, h, w]` of x `[batch, inputs, height, width]`, W `[outputs, inputs, kernel, kernel]` and, if there
/// is one, b `[outputs]`: PyTorch's `conv2d`.
///
/// # Panics
/// If the shapes do not fit together, or the padded image is smaller than the kernel.
pub fn convolution(x: Tensor<4>, weight: Tensor<4>, bias: Option<Tensor<1>>, window: Window) -> Tensor<4> {
    let [_, inputs, height, width] = x.dims();
    let fits = weight.dims()[1] == inputs
        && weight.dims()[2..] == [window.kernel; 2]
        && height.min(width) + 2 * window.padding >= window.kernel
        && window.stride > 0;
    if !has_kernels(&x) || !fits {
        let options = ConvOptions::new([window.stride; 2], [window.padding; 2], [1; 2], 1);
        return module::conv2d(x, weight, bias, options);
    }
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    match bias {
        Some(bias) => apply([x, weight, bias.into_dispatch()], [], move |[x, weight, bias], []| {
            let y = value(&x, &weight, Some(&bias), window);
            let backward = move |delta: FlexTensor, [wants_x, wants_weight, wants_bias]: [bool; 3]| {
                let [x, weight] = gradients([x, weight], &delta, [wants_x, wants_weight], window);
                [x, weight, wants_bias.then(|| channel_sums(&delta))]
            };
            (y, backward)
        }),
        None => apply([x, weight], [], move |[x, weight], []| {
            let y = value(&x, &weight, None, window);
            (y, move |delta, wanted| gradients([x, weight], &delta, wanted, window))
        }),
    }
}

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
    from_flex(kernel!([x, delta] -> shape, select::weight_gradient(x, delta, &sizes, true)))
}

fn value(x: &FlexTensor, weight: &FlexTensor, bias: Option<&FlexTensor>, window: Window) -> FlexTensor {
    let sizes = Sizes::new(&x.shape(), &weight.shape(), window);
    let shape = sizes.output_shape();
    match bias {
        Some(bias) => kernel!([x, weight, bias] -> shape, select::value(x, weight, Some(bias), &sizes)),
        None => kernel!([x, weight] -> shape, select::value(x, weight, None, &sizes)),
    }
}

/// With respect to x and the weight.
fn gradients(
    [x, weight]: [FlexTensor; 2],
    delta: &FlexTensor,
    [wants_x, wants_weight]: [bool; 2],
    window: Window,
) -> [Option<FlexTensor>; 2] {
    let sizes = Sizes::new(&x.shape(), &weight.shape(), window);
    [
        wants_x.then(|| kernel!([delta, weight] -> x.shape(), select::input_gradient(delta, weight, &sizes))),
        wants_weight.then(|| kernel!([x, delta] -> weight.shape(), select::weight_gradient(x, delta, &sizes, false))),
    ]
}
