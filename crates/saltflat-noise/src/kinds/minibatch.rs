//! Two-sample minibatch noise.

use rand::RngExt;
use saltflat_random::Stream;
use serde::Serialize;

use crate::{
    keys::{NoiseKeys, NoiseSection, Strength},
    noise::{ActsOn, Noise, NoiseProperties},
    output_noise::{OutputForm, OutputNoise},
    step_context::StepContext,
};

/// Pairs of samples that are drawn in a step at most. The noise of more is Gaussian in all but name, as `sgd-covariance` is.
const MOST_PAIRS: usize = 1 << 20;

/// δ (1/b) Σₖ (∇ℓ at iₖ − ∇ℓ at jₖ) is added to the gradient, with all iₖ, jₖ uniform on the step's batch and independent
/// (HaoChen et al. 2021, appendix A.1, where b = 1): the covariance is 2 δ² Σ/b with Σ = (1/B) Σᵢ (gᵢ − ḡ)(gᵢ − ḡ)ᵀ.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Minibatch {
    /// Pairs b ≥ 1.
    pub batch_size: usize,
    /// δ ≥ 0, a factor.
    pub sigma: f64,
}

impl NoiseKeys for Minibatch {
    const NAME: &'static str = "minibatch";
    const EXAMPLE: &'static str = "batch_size = 3";
    const STRENGTH: Strength = Strength::Replaces("sigma");
    const IS_REFERENCE: bool = true;

    fn read(section: &mut NoiseSection<'_>) -> Self {
        let expected = format!("a whole number from 1 to {MOST_PAIRS}");
        Self {
            batch_size: section.optional("batch_size", &expected, |n| (1..=MOST_PAIRS).contains(n)).unwrap_or(1),
            sigma: section.optional_scale("sigma", "a number, not negative", |x: &f64| x.is_finite() && *x >= 0.0),
        }
    }
}

impl Noise for Minibatch {
    fn properties(&self) -> NoiseProperties {
        NoiseProperties::new(Self::NAME, ActsOn::Outputs, 2)
    }

    fn draw_output_noise(&self, context: StepContext, batch: usize, _outputs: usize) -> Option<OutputNoise> {
        let weight = (batch as f64 * self.sigma * context.factor / self.batch_size as f64) as f32;
        if weight == 0.0 {
            return None;
        }
        let mut rng = context.key(Stream::OutputNoise).rng();
        let mut values = vec![0.0; batch];
        for _ in 0..self.batch_size {
            values[rng.random_range(0..batch)] += weight;
            values[rng.random_range(0..batch)] -= weight;
        }
        Some(OutputNoise { values, width: 1, form: OutputForm::Residual })
    }
}
