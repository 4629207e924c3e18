//! The logistic function in three straight pieces.

use burn::tensor::Tensor;

use super::elementwise::{Elementwise, between, ones};

/// (x + 3)/6 between −3 and 3, 0 below and 1 above, PyTorch's `nn.Hardsigmoid`; the derivative is 1/6 between them, and 0 at both and beyond.
#[derive(Clone, Copy, Debug)]
pub(super) struct HardSigmoid;

impl Elementwise for HardSigmoid {
    fn value(&self, x: Tensor<4>) -> Tensor<4> {
        between(&x, [-3.0, 3.0], [0.0, 1.0], x.clone().add_scalar(3.0).mul_scalar(1.0 / 6.0))
    }

    fn derivatives(&self, x: Tensor<4>, _: bool) -> (Tensor<4>, Option<Tensor<4>>) {
        (between(&x, [-3.0, 3.0], [0.0, 0.0], ones(&x).mul_scalar(1.0 / 6.0)), None)
    }
}
