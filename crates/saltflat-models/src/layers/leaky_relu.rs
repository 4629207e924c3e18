//! The rectifier that lets a part of what is negative through.

use burn::tensor::Tensor;

use super::{
    case::{LayerCase, LayerCases},
    elementwise::{Elementwise, ones},
};

/// x where x > 0, else slope · x, PyTorch's `nn.LeakyReLU`; the derivative at 0 is the slope.
#[derive(Clone, Copy, Debug)]
pub struct LeakyRelu {
    /// The derivative below 0.
    pub slope: f64,
}

impl Elementwise for LeakyRelu {
    fn value(&self, x: Tensor<4>) -> Tensor<4> {
        let below = x.clone().without_autodiff().lower_equal_scalar(0.0);
        let scaled = x.clone().mul_scalar(self.slope);
        x.mask_where(below, scaled)
    }

    fn derivatives(&self, x: Tensor<4>, _: bool) -> (Tensor<4>, Option<Tensor<4>>) {
        let below = x.clone().without_autodiff().lower_equal_scalar(0.0);
        (ones(&x).mask_fill(below, self.slope), None)
    }
}

impl LayerCases for LeakyRelu {
    fn cases() -> Vec<LayerCase> {
        vec![LayerCase::new("leaky relu", |_| Self { slope: 0.2 })]
    }
}
