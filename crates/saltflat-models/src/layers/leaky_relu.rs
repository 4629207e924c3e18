//! The rectifier that lets a part of what is negative through.

use burn::tensor::Tensor;
use saltflat_config::Section;
use serde::Serialize;

use super::elementwise::{Elementwise, ones};
use crate::{
    ModelError,
    layer_config::{LayerCase, LayerConfig, LayerKeys},
    place::{Built, Place},
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

/// The keys of the leaky rectifier in a list of layers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LeakyReluConfig {
    /// The derivative below 0.
    pub slope: f64,
}

impl Default for LeakyReluConfig {
    /// PyTorch's.
    fn default() -> Self {
        Self { slope: 0.01 }
    }
}

impl LayerConfig for LeakyReluConfig {
    fn name(&self) -> &'static str {
        "leaky-relu"
    }

    fn build(&self, place: &mut Place<'_>) -> Result<Built, ModelError> {
        Ok(Built::new(LeakyRelu { slope: self.slope }, place.input()))
    }
}

impl LayerKeys for LeakyReluConfig {
    const NAMES: &'static [&'static str] = &["leaky-relu"];
    const EXAMPLE: &'static str = "slope = 0.2";

    fn read(_: &str, section: &mut Section) -> Self {
        let slope = section.optional("slope", "a finite number", |x: &f64| x.is_finite());
        slope.map_or_else(Self::default, |slope| Self { slope })
    }

    fn cases() -> Vec<LayerCase> {
        vec![LayerCase::new("leaky relu", r#"[{ kind = "leaky-relu", slope = 0.2 }]"#)]
    }
}
