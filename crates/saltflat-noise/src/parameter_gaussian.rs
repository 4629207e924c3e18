//! Gaussian noise on the parameters.

use saltflat_models::Vector;
use saltflat_random::{Key, Stream};
use serde::Serialize;

use crate::Noise;

/// After every update θ ← θ + σ ξ with ξ ~ N(0, I) (HaoChen et al. 2021, appendix A.2).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ParameterGaussian {
    /// σ ≥ 0, of one step and coordinate.
    pub sigma: f64,
}

impl Noise for ParameterGaussian {
    fn perturb(&self, seed: u64, step: u64, factor: f64, theta: &Vector) -> Option<Vector> {
        let sigma = self.sigma * factor;
        (sigma != 0.0)
            .then(|| theta.plus_scaled(sigma, &theta.normal_like(Key::new(seed, Stream::ParameterNoise, step))))
    }
}
