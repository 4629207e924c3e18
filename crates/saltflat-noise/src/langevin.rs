//! Langevin dynamics.

use saltflat_random::Stream;
use serde::Serialize;

use crate::{ActsOn, Noise};

/// After every update θ ← θ + √(2η/λ) ξ with ξ ~ N(0, I) and the step's learning rate η: discretised Langevin dynamics,
/// whose stationary density without minibatch noise and for small η is ∝ exp(−λ L) (Welling, Teh 2011).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Langevin {
    /// λ > 0.
    pub inverse_temperature: f64,
}

impl Noise for Langevin {
    fn acts_on(&self) -> ActsOn {
        ActsOn::Parameters
    }

    fn streams(&self) -> Vec<Stream> {
        vec![Stream::ParameterNoise]
    }

    fn parameter_sigma(&self, lr: f64) -> Option<f64> {
        Some((2.0 * lr / self.inverse_temperature).sqrt())
    }
}
