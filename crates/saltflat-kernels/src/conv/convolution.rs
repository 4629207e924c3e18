//! A convolution and its backward pass.

use burn::{
    backend::{TensorMetadata, flex::FlexTensor},
    tensor::{Tensor, module, ops::ConvOptions},
};

use super::{
    select,
    window::{Sizes, Window},
};
use crate::{channelwise::channel_sums, operation::apply, slices::kernel, switch::has_kernels};

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
    let inputs = [x.into_dispatch(), weight.into_dispatch()];
    match bias {
        Some(bias) => {
            let [x, weight] = inputs;
            apply([x, weight, bias.into_dispatch()], [], move |[x, weight, bias], []| {
                let y = value(&x, &weight, Some(&bias), window);
                let backward = move |delta: FlexTensor, [wants_x, wants_weight, wants_bias]: [bool; 3]| {
                    let [x, weight] = gradients([x, weight], &delta, [wants_x, wants_weight], window);
                    [x, weight, wants_bias.then(|| channel_sums(&delta))]
                };
                (y, backward)
            })
        }
        None => apply(inputs, [], move |[x, weight], []| {
            let y = value(&x, &weight, None, window);
            (y, move |delta, wanted| gradients([x, weight], &delta, wanted, window))
        }),
    }
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
        wants_weight.then(|| kernel!([x, delta] -> weight.shape(), select::weight_gradient(x, delta, &sizes))),
    ]
}
