//! The rectifier that ends at 6.

use burn::tensor::Tensor;

use super::elementwise::{Elementwise, between, ones};

/// min(max(x, 0), 6), PyTorch's `nn.ReLU6`; the derivative is 1 between 0 and 6, and 0 at both and beyond.
#[derive(Clone, Copy, Debug)]
pub(super) struct Relu6;

impl Elementwise for Relu6 {
    fn value(&self, x: Tensor<4>) -> Tensor<4> {
        between(&x, [0.0, 6.0], [0.0, 6.0], x.clone())
    }

    fn derivatives(&self, x: Tensor<4>, _: bool) -> (Tensor<4>, Option<Tensor<4>>) {
        (between(&x, [0.0, 6.0], [0.0, 0.0], ones(&x)), None)
    }
}
