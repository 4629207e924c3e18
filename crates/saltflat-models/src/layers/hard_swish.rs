//! Swish with the logistic function in three straight pieces.

use burn::tensor::Tensor;

use super::elementwise::{Elementwise, between, ones};

/// x (x + 3)/6 between −3 and 3, 0 below and x above, PyTorch's `nn.Hardswish`; f′ is (2x + 3)/6 between them, 0 from −3 down and 1 from 3 up.
///
/// Source: Howard et al. 2019, arXiv 1905.02244.
#[derive(Clone, Copy, Debug)]
pub(super) struct HardSwish;

impl Elementwise for HardSwish {
    fn value(&self, x: Tensor<4>) -> Tensor<4> {
        // x times the hard sigmoid, whose derivative at ±3 is 0.
        x.clone() * between(&x, [-3.0, 3.0], [0.0, 1.0], x.clone().add_scalar(3.0).mul_scalar(1.0 / 6.0))
    }

    fn derivatives(&self, x: Tensor<4>, second_order: bool) -> (Tensor<4>, Option<Tensor<4>>) {
        let first = between(&x, [-3.0, 3.0], [0.0, 1.0], x.clone().mul_scalar(1.0 / 3.0).add_scalar(0.5));
        let second = second_order.then(|| between(&x, [-3.0, 3.0], [0.0, 0.0], ones(&x).mul_scalar(1.0 / 3.0)));
        (first, second)
    }
}
