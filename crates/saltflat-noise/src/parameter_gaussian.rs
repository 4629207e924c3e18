//! Gaussian noise on the parameters.

use saltflat_random::Stream;
use serde::Serialize;

use crate::{ActsOn, Noise};

/// After every update θ ← θ + σ ξ with ξ ~ N(0, I) (HaoChen et al. 2021, appendix A.2).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ParameterGaussian {
    /// σ ≥ 0, of one step and coordinate.
    pub sigma: f64,
}

impl Noise for ParameterGaussian {
    fn acts_on(&self) -> ActsOn {
        ActsOn::Parameters
    }

    fn streams(&self) -> Vec<Stream> {
        vec![Stream::ParameterNoise]
    }

    fn parameter_sigma(&self, _lr: f64) -> Option<f64> {
        Some(self.sigma)
    }
}
