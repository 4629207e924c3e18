//! A linear layer and its backward pass.

use burn::{
    backend::{Flex, TensorMetadata, flex::FlexTensor, ops::FloatTensorOps},
    tensor::{Shape, Tensor, module},
};

use super::product::{Left, is_profitable, product, product_of_rows};
use crate::{
    operation::{Operation, apply},
    pointwise::add_repeated,
    reduce::over_rows,
    slices::kernel,
    switch::has_kernels,
};

/// x Wᵀ + b `[n, outputs]` of x `[n, inputs]`, W `[outputs, inputs]` and, if there is one, b `[outputs]`: PyTorch's `linear`.
pub fn linear(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    if !has_kernels(&x) {
        return module::linear(x, weight.transpose(), bias);
    }
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    match bias {
        Some(bias) => apply(Linear, [x, weight, bias.into_dispatch()]),
        None => apply(Linear, [x, weight]),
    }
}

/// x Wᵀ, or x Wᵀ + b.
#[derive(Debug)]
struct Linear;

impl Linear {
    fn gradients([x, weight]: [FlexTensor; 2], delta: &FlexTensor, wanted: [bool; 2]) -> [Option<FlexTensor>; 2] {
        let ([n, inputs], outputs) = (x.shape().dims(), weight.shape()[0]);
        let input_gradient = || match is_profitable([n, outputs, inputs]) {
            true => kernel!(
                [delta, weight] -> Shape::new([n, inputs]),
                product(delta, Left::Rows, weight, [n, outputs, inputs])
            ),
            false => Flex::float_matmul(delta.clone(), weight),
        };
        let weight_gradient = || match is_profitable([outputs, n, inputs]) {
            true => kernel!(
                [delta, x] -> Shape::new([outputs, inputs]),
                product(delta, Left::Columns, x, [outputs, n, inputs])
            ),
            false => Flex::float_matmul(Flex::float_transpose(delta.clone()), x),
        };
        [wanted[0].then(input_gradient), wanted[1].then(weight_gradient)]
    }
}

impl Operation<2> for Linear {
    type Saved = [FlexTensor; 2];

    fn forward(&self, [x, weight]: [FlexTensor; 2]) -> (FlexTensor, Self::Saved) {
        let ([n, inputs], outputs) = (x.shape().dims(), weight.shape()[0]);
        let sizes = [n, inputs, outputs];
        let y = match is_profitable(sizes) {
            true => kernel!([x, weight] -> Shape::new([n, outputs]), product_of_rows(x, weight, sizes)),
            false => Flex::float_matmul(x.clone(), Flex::float_transpose(weight.clone())),
        };
        (y, [x, weight])
    }

    fn backward(&self, saved: Self::Saved, delta: FlexTensor, wanted: [bool; 2]) -> [Option<FlexTensor>; 2] {
        Self::gradients(saved, &delta, wanted)
    }
}

impl Operation<3> for Linear {
    type Saved = [FlexTensor; 2];

    fn forward(&self, [x, weight, bias]: [FlexTensor; 3]) -> (FlexTensor, Self::Saved) {
        let (y, saved) = self.forward([x, weight]);
        (add_repeated(y, &bias), saved)
    }

    fn backward(&self, saved: Self::Saved, delta: FlexTensor, wanted: [bool; 3]) -> [Option<FlexTensor>; 3] {
        let [x, weight] = Self::gradients(saved, &delta, [wanted[0], wanted[1]]);
        let bias_gradient = || {
            let n = delta.shape()[1];
            kernel!([delta] -> Shape::new([n]), over_rows(delta, n))
        };
        [x, weight, wanted[2].then(bias_gradient)]
    }
}
