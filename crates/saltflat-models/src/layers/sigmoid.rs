//! The logistic function.

use burn::tensor::{Tensor, activation};

use super::elementwise::Elementwise;

/// σ(x) = 1 / (1 + e⁻ˣ), PyTorch's `nn.Sigmoid`; σ′ = σ (1 − σ), σ″ = σ′ (1 − 2σ).
#[derive(Clone, Copy, Debug)]
pub(super) struct Sigmoid;

impl Elementwise for Sigmoid {
    fn value(&self, x: Tensor<4>) -> Tensor<4> {
        activation::sigmoid(x)
    }

    fn derivatives(&self, x: Tensor<4>, second_order: bool) -> (Tensor<4>, Option<Tensor<4>>) {
        let s = activation::sigmoid(x);
        let first = s.clone() * s.clone().neg().add_scalar(1.0);
        let second = second_order.then(|| first.clone() * s.mul_scalar(-2.0).add_scalar(1.0));
        (first, second)
    }
}
