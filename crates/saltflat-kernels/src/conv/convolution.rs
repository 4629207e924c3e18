//! A convolution and its backward pass.

use burn::{
    backend::{TensorMetadata, flex::FlexTensor},
    tensor::{Tensor, module, ops::ConvOptions},
};

use super::{
    select,
    window::{Sizes, Window},
};
use crate::{
    channelwise::channel_sums,
    operation::{Operation, apply},
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
        Some(bias) => apply(Convolution(window), [x, weight, bias.into_dispatch()]),
        None => apply(Convolution(window), [x, weight]),
    }
}

/// W ∗ x, or W ∗ x + b.
#[derive(Debug)]
struct Convolution(Window);

impl Convolution {
    fn gradients(
        &self,
        [x, weight]: [FlexTensor; 2],
        delta: &FlexTensor,
        wanted: [bool; 2],
    ) -> [Option<FlexTensor>; 2] {
        let sizes = Sizes::new(&x.shape(), &weight.shape(), self.0);
        [
            wanted[0].then(|| kernel!([delta, weight] -> x.shape(), select::input_gradient(delta, weight, &sizes))),
            wanted[1].then(|| kernel!([x, delta] -> weight.shape(), select::weight_gradient(x, delta, &sizes))),
        ]
    }
}

impl Operation<2> for Convolution {
    type Saved = [FlexTensor; 2];

    fn forward(&self, [x, weight]: [FlexTensor; 2]) -> (FlexTensor, Self::Saved) {
        let sizes = Sizes::new(&x.shape(), &weight.shape(), self.0);
        let y = kernel!([x, weight] -> sizes.output_shape(), select::value(x, weight, None, &sizes));
        (y, [x, weight])
    }

    fn backward(&self, saved: Self::Saved, delta: FlexTensor, wanted: [bool; 2]) -> [Option<FlexTensor>; 2] {
        self.gradients(saved, &delta, wanted)
    }
}

impl Operation<3> for Convolution {
    type Saved = [FlexTensor; 2];

    fn forward(&self, [x, weight, bias]: [FlexTensor; 3]) -> (FlexTensor, Self::Saved) {
        let sizes = Sizes::new(&x.shape(), &weight.shape(), self.0);
        let y = kernel!([x, weight, bias] -> sizes.output_shape(), select::value(x, weight, Some(bias), &sizes));
        (y, [x, weight])
    }

    fn backward(&self, saved: Self::Saved, delta: FlexTensor, wanted: [bool; 3]) -> [Option<FlexTensor>; 3] {
        let [x, weight] = self.gradients(saved, &delta, [wanted[0], wanted[1]]);
        [x, weight, wanted[2].then(|| channel_sums(&delta))]
    }
}
