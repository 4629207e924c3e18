//! The exponential linear unit.

use burn::tensor::Tensor;
use saltflat_config::Section;
use serde::Serialize;

use super::elementwise::{Elementwise, ones};
use crate::{
    ModelError,
    layer_config::{LayerCase, LayerConfig, LayerKeys},
    place::{Built, Place},
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

/// The keys of the exponential linear unit in a list of layers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct EluConfig {
    /// α, minus the limit at −∞.
    pub alpha: f64,
}

impl Default for EluConfig {
    /// PyTorch's.
    fn default() -> Self {
        Self { alpha: 1.0 }
    }
}

impl LayerConfig for EluConfig {
    fn name(&self) -> &'static str {
        "elu"
    }

    fn build(&self, place: &mut Place<'_>) -> Result<Built, ModelError> {
        Ok(Built::new(Elu { alpha: self.alpha }, place.input()))
    }
}

impl LayerKeys for EluConfig {
    const NAMES: &'static [&'static str] = &["elu"];
    const EXAMPLE: &'static str = "alpha = 0.7";

    fn read(_: &str, section: &mut Section) -> Self {
        let alpha = section.optional("alpha", "a finite number", |x: &f64| x.is_finite());
        alpha.map_or_else(Self::default, |alpha| Self { alpha })
    }

    fn cases() -> Vec<LayerCase> {
        vec![LayerCase::new("elu", r#"[{ kind = "elu", alpha = 0.7 }]"#)]
    }
}
