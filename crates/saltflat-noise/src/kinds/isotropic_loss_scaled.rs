//! Isotropic noise that grows with the loss.

use saltflat_models::Vector;
use saltflat_random::Stream;
use serde::Serialize;

use crate::{
    keys::{NoiseKeys, NoiseSection, Strength},
    noise::{ActsOn, Noise, NoiseProperties},
    step_context::StepContext,
};

/// Gradient noise N(0, 2 σ² L(θ) I) (Wu, Wang, Su 2022, section 3.3, there with σ² = Tr(H)/p and divided by the batch
/// size): L the step's batch loss, counted from its floor. The trainer multiplies by √(2L).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct IsotropicLossScaled {
    /// σ ≥ 0.
    pub sigma: f64,
}

impl NoiseKeys for IsotropicLossScaled {
    const NAME: &'static str = "isotropic-loss-scaled";
    const EXAMPLE: &'static str = "sigma = 0.01";
    const STRENGTH: Strength = Strength::Replaces("sigma");
    const IS_REFERENCE: bool = false;

    fn read(section: &mut NoiseSection<'_>) -> Self {
        Self { sigma: section.sigma() }
    }
}

impl Noise for IsotropicLossScaled {
    fn properties(&self) -> NoiseProperties {
        NoiseProperties::new(Self::NAME, ActsOn::Gradient, 1)
    }

    fn scales_with_loss(&self) -> bool {
        true
    }

    fn gradient_noise(&self, context: StepContext, _propagated: Option<Vector>, theta: &Vector) -> Option<Vector> {
        let sigma = self.sigma * context.factor;
        (sigma != 0.0).then(|| theta.normal_like(context.key(Stream::GradientNoise)).scale(sigma))
    }
}
