//! The noise of Langevin dynamics.

use serde::Serialize;

use crate::{
    keys::{NoiseKeys, NoiseSection, Strength},
    noise::{ActsOn, Noise, NoiseProperties},
};

/// λ below this makes the noise √(2η/λ) of a parameter infinite in f32 for any learning rate that moves it.
const LEAST_INVERSE_TEMPERATURE: f64 = 1e-70;

/// After every update θ ← θ + √(2η/λ) ξ with ξ ~ N(0, I) and the step's learning rate η: discretised Langevin dynamics,
/// whose stationary density without minibatch noise and for small η is ∝ exp(−λ L) (Welling, Teh 2011).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Langevin {
    /// λ > 0.
    pub inverse_temperature: f64,
}

impl NoiseKeys for Langevin {
    const NAME: &'static str = "langevin";
    const EXAMPLE: &'static str = "inverse_temperature = 1e4";
    const STRENGTH: Strength = Strength::Replaces("inverse_temperature");
    const IS_REFERENCE: bool = false;

    fn read(section: &mut NoiseSection<'_>) -> Self {
        let holds = |x: &f64| x.is_finite() && *x >= LEAST_INVERSE_TEMPERATURE;
        Self { inverse_temperature: section.required_scale("inverse_temperature", "a number of at least 1e-70", holds) }
    }
}

impl Noise for Langevin {
    fn properties(&self) -> NoiseProperties {
        NoiseProperties::new(Self::NAME, ActsOn::Parameters, 0)
    }

    fn parameter_sigma(&self, lr: f64) -> Option<f64> {
        Some((2.0 * lr / self.inverse_temperature).sqrt())
    }
}
