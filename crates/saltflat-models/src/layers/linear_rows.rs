//! Per-sample gradients of a linear layer for inputs of one position. For several they are those of a convolution of 1 × 1.

use burn::tensor::Tensor;
use saltflat_kernels::gram;

use crate::{PerSample, tape::times_tiled};

/// Of inputs of one position, the inner product of the gradients of samples i and j: (xᵢ·xⱼ + 1)(δᵢ·δⱼ), without the 1 if there is no bias.
pub(super) struct VectorRows {
    pub(super) input: Tensor<2>,
    pub(super) has_bias: bool,
}

impl PerSample for VectorRows {
    fn keep(&self, delta: Tensor<4>) -> Tensor<2> {
        delta.flatten(1, 3)
    }

    fn input(&self) -> Option<Tensor<4>> {
        let [n, inputs] = self.input.dims();
        Some(self.input.clone().reshape([n, inputs, 1, 1]))
    }

    fn gram(&self, delta: Tensor<2>, input: Option<Tensor<4>>) -> Tensor<2> {
        let input = input.map_or_else(|| self.input.clone(), |input| input.flatten(1, 3));
        let inputs = gram(input);
        let inputs = if self.has_bias { inputs.add_scalar(1.0) } else { inputs };
        times_tiled(gram(delta), inputs)
    }
}
