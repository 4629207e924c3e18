//! Two-sample minibatch noise.

use rand::RngExt;
use saltflat_random::Stream;
use serde::Serialize;

use crate::{ActsOn, Moment, Noise, OutputForm, OutputNoise};

/// δ (1/b) Σₖ (∇ℓ at iₖ − ∇ℓ at jₖ) is added to the gradient, with all iₖ, jₖ uniform on the step's batch and independent
/// (HaoChen et al. 2021, appendix A.1, where b = 1): the covariance is 2 δ² Σ/b with Σ = (1/B) Σᵢ (gᵢ − ḡ)(gᵢ − ḡ)ᵀ.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Minibatch {
    /// Pairs b ≥ 1.
    pub batch_size: usize,
    /// δ ≥ 0.
    pub sigma: f64,
}

impl Noise for Minibatch {
    fn acts_on(&self) -> ActsOn {
        ActsOn::Outputs
    }

    fn streams(&self) -> Vec<Stream> {
        vec![Stream::OutputNoise]
    }

    fn output_noise(&self, at: Moment, batch: usize, _outputs: usize) -> Option<OutputNoise> {
        let weight = (batch as f64 * self.sigma * at.factor / self.batch_size as f64) as f32;
        if weight == 0.0 {
            return None;
        }
        let mut rng = at.key(Stream::OutputNoise).rng();
        let mut values = vec![0.0; batch];
        for _ in 0..self.batch_size {
            values[rng.random_range(0..batch)] += weight;
            values[rng.random_range(0..batch)] -= weight;
        }
        Some(OutputNoise { values, width: 1, form: OutputForm::Residual })
    }
}
