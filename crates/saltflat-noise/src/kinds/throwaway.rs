//! A throw-away kind.

use serde::Serialize;

use crate::{
    keys::{NoiseKeys, NoiseSection, Strength},
    noise::{ActsOn, Noise, NoiseProperties},
};

/// After every update θ ← θ + σ ξ with ξ ~ N(0, I) (HaoChen et al. 2021, appendix A.2).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ThrowawayNoise {
    /// σ ≥ 0, of one step and coordinate.
    pub sigma: f64,
}

impl NoiseKeys for ThrowawayNoise {
    const NAME: &'static str = "throwaway";
    const EXAMPLE: &'static str = "sigma = 1e-3";
    const STRENGTH: Strength = Strength::Replaces("sigma");
    const IS_REFERENCE: bool = false;

    fn read(section: &mut NoiseSection<'_>) -> Self {
        Self { sigma: section.sigma() }
    }
}

impl Noise for ThrowawayNoise {
    fn properties(&self) -> NoiseProperties {
        NoiseProperties::new(Self::NAME, ActsOn::Parameters, 0)
    }

    fn parameter_sigma(&self, _lr: f64) -> Option<f64> {
        Some(self.sigma)
    }
}
