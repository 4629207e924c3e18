//! Gaussian noise on the output gradient.

use saltflat_config::named_enum;
use saltflat_random::Stream;
use serde::Serialize;

use crate::{
    keys::{NoiseKeys, NoiseSection, Strength},
    noise::{ActsOn, Noise, NoiseProperties},
    output_noise::{OutputForm, OutputNoise},
    step_context::StepContext,
};

named_enum! {
    /// What σ is the size of.
    #[derive(Default)]
    pub enum SigmaConvention {
        /// Of the whole vector: √E‖ν‖² = σ, so σ/√C a coordinate. The paper's text: "such that σ √E‖z‖² = 0.1".
        #[default]
        Norm = "norm",
        /// Of each coordinate, the σ of the paper's equation 12.
        Coordinate = "coordinate",
    }
}

/// At every step ν ~ N(0, σ²I) is added to each sample's output gradient ∂ℓ/∂f (HaoChen et al. 2021, equation 12 and
/// appendix A.2). The gradient noise (1/B) Σᵢ Jᵢᵀ νᵢ has the covariance (σ²/B) G with G = (1/B) Σᵢ Jᵢᵀ Jᵢ.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LogitGaussian {
    /// σ ≥ 0.
    pub sigma: f64,
    /// Whether σ is the size of the whole vector or of each coordinate.
    pub convention: SigmaConvention,
}

impl NoiseKeys for LogitGaussian {
    const NAME: &'static str = "logit-gaussian";
    const EXAMPLE: &'static str = "sigma = 0.1";
    const STRENGTH: Strength = Strength::Replaces("sigma");
    const IS_REFERENCE: bool = true;

    fn read(section: &mut NoiseSection<'_>) -> Self {
        Self {
            sigma: section.sigma(),
            convention: section.choice("convention", &SigmaConvention::ALL).unwrap_or_default(),
        }
    }
}

impl Noise for LogitGaussian {
    fn properties(&self) -> NoiseProperties {
        NoiseProperties::new(Self::NAME, ActsOn::Outputs, 0)
    }

    fn draw_output_noise(&self, context: StepContext, batch: usize, outputs: usize) -> Option<OutputNoise> {
        let coordinate = match self.convention {
            SigmaConvention::Norm => self.sigma / (outputs as f64).sqrt(),
            SigmaConvention::Coordinate => self.sigma,
        };
        let values = context.draw_normal(Stream::OutputNoise, coordinate, batch * outputs)?;
        Some(OutputNoise { values, width: outputs, form: OutputForm::Direct })
    }
}
