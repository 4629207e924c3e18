//! A linear layer and its backward pass.

use burn::{
    backend::{Flex, TensorMetadata, flex::FlexTensor, ops::FloatTensorOps},
    tensor::{Shape, Tensor, module},
};

use super::product::{Left, is_profitable, product, product_of_rows};
use crate::{operation::apply, pointwise::add_repeated, reduce::over_rows, slices::kernel, switch::has_kernels};

/// x Wᵀ + b `[n, outputs]` of x `[n, inputs]`, W `[outputs, inputs]` and, if there is one, b `[outputs]`: PyTorch's `linear`.
pub fn linear(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    if !has_kernels(&x) {
        return module::linear(x, weight.transpose(), bias);
    }
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    match bias {
        Some(bias) => apply([x, weight, bias.into_dispatch()], [], |[x, weight, bias], []| {
            let y = add_repeated(value(&x, &weight), &bias);
            let backward = |delta: FlexTensor, [wants_x, wants_weight, wants_bias]: [bool; 3]| {
                let [x, weight] = gradients([x, weight], &delta, [wants_x, wants_weight]);
                let outputs = delta.shape()[1];
                let bias = || kernel!([delta] -> Shape::new([outputs]), over_rows(delta, outputs));
                [x, weight, wants_bias.then(bias)]
            };
            (y, backward)
        }),
        None => apply([x, weight], [], |[x, weight], []| {
            (value(&x, &weight), |delta, wanted| gradients([x, weight], &delta, wanted))
        }),
    }
}

/// x Wᵀ.
fn value(x: &FlexTensor, weight: &FlexTensor) -> FlexTensor {
    let ([n, inputs], outputs) = (x.shape().dims(), weight.shape()[0]);
    let sizes = [n, inputs, outputs];
    match is_profitable(sizes) {
        true => kernel!([x, weight] -> Shape::new([n, outputs]), product_of_rows(x, weight, sizes)),
        false => Flex::float_matmul(x.clone(), Flex::float_transpose(weight.clone())),
    }
}

/// With respect to x and the weight, δ W and δᵀ x.
fn gradients(
    [x, weight]: [FlexTensor; 2],
    delta: &FlexTensor,
    [wants_x, wants_weight]: [bool; 2],
) -> [Option<FlexTensor>; 2] {
    let ([n, inputs], outputs) = (x.shape().dims(), weight.shape()[0]);
    let sizes = [n, outputs, inputs];
    let input_gradient = || match is_profitable(sizes) {
        true => kernel!([delta, weight] -> Shape::new([n, inputs]), product(delta, Left::Rows, weight, sizes)),
        false => Flex::float_matmul(delta.clone(), weight),
    };
    let sizes = [outputs, n, inputs];
    let weight_gradient = || match is_profitable(sizes) {
        true => kernel!([delta, x] -> Shape::new([outputs, inputs]), product(delta, Left::Columns, x, sizes)),
        false => Flex::float_matmul(Flex::float_transpose(delta.clone()), x),
    };
    [wants_x.then(input_gradient), wants_weight.then(weight_gradient)]
}
