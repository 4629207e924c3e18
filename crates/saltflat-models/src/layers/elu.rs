//! The exponential linear unit.

use burn::tensor::Tensor;

use super::{
    case::{LayerCase, LayerCases},
    elementwise::{Elementwise, ones},
};

/// x where x > 0, else α (eˣ − 1), PyTorch's `nn.ELU`; f′ is 1 and α eˣ, f″ 0 and α eˣ, at 0 those of the exponential.
///
/// Source: Clevert, Unterthiner, Hochreiter 2015, arXiv 1511.07289.
#[derive(Clone, Copy, Debug)]
pub struct Elu {
    /// α, minus the limit at −∞.
    pub alpha: f64,
}

impl Elu {
    /// Where x > 0, and α eˣ elsewhere: e⁰ stands where x > 0, so that nothing overflows.
    fn parts(self, x: Tensor<4>) -> (Tensor<4, burn::tensor::Bool>, Tensor<4>) {
        let above = x.clone().without_autodiff().greater_scalar(0.0);
        (above.clone(), x.mask_fill(above, 0.0).exp().mul_scalar(self.alpha))
    }
}

impl Elementwise for Elu {
    fn value(&self, x: Tensor<4>) -> Tensor<4> {
        let (above, exponential) = self.parts(x.clone());
        exponential.sub_scalar(self.alpha).mask_where(above, x)
    }

    fn derivatives(&self, x: Tensor<4>, second_order: bool) -> (Tensor<4>, Option<Tensor<4>>) {
        let (above, exponential) = self.parts(x.clone());
        let second = second_order.then(|| exponential.clone().mask_fill(above.clone(), 0.0));
        (exponential.mask_where(above, ones(&x)), second)
    }
}

impl LayerCases for Elu {
    fn cases() -> Vec<LayerCase> {
        vec![LayerCase::new("elu", |_| Self { alpha: 0.7 })]
    }
}
