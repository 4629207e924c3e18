//! Strength of the label noise over an epoch's steps.

use burn::tensor::Tensor;
use saltflat_models::Vector;

use crate::{Estimate, MetricError, error::read};

/// trace_from_noise = mean over steps of B‖∇L̂ − ∇L̄‖²/σ², σ² the variance of additive noise on real targets and 1 for
/// flipped labels; [the closed form](crate::expected_label_noise) says at which θ its expectation is tr H. The squares stay on the
/// device until the epoch ends.
#[derive(Clone, Debug, Default)]
pub struct NoiseStrength {
    squares: Vec<Tensor<1>>,
}

impl NoiseStrength {
    /// Adds a step with this label noise ∇L̂ − ∇L̄ in its gradient, times `factor`: B for flipped labels, B/σ² for additive noise.
    pub fn record(&mut self, noise: &Vector, factor: f64) {
        self.squares.push(noise.norm_squared().mul_scalar(factor));
    }

    /// True before the first step is recorded.
    pub fn is_empty(&self) -> bool {
        self.squares.is_empty()
    }

    /// The squares so far, times their factors, `[steps]`; absent before the first step.
    pub fn squares(&self) -> Option<Tensor<1>> {
        (!self.squares.is_empty()).then(|| Tensor::cat(self.squares.clone(), 0))
    }

    /// A sum that continues these [`squares`](Self::squares), those of a checkpoint.
    pub fn after(squares: Option<Tensor<1>>) -> Self {
        Self { squares: squares.into_iter().collect() }
    }

    /// The epoch's estimate, with the steps as probes, and a fresh start for the next epoch.
    ///
    /// # Errors
    /// [`MetricError::Device`] if the squares cannot be read.
    pub fn take(&mut self) -> Result<Estimate, MetricError> {
        let Some(squares) = std::mem::take(self).squares() else {
            return Ok(Estimate::absent("no step of this epoch was measured"));
        };
        let squares = read("trace_from_noise", squares)?;
        Ok(Estimate::of_probes(&squares))
    }
}
