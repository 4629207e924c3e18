//! How batches are drawn, and what that does to second moments.

use serde::Serialize;

use super::StabilityError;

/// How the batch of a step is drawn, afresh in every step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sampling {
    /// Each sample with probability B/n; the sum over the batch is divided by B.
    Bernoulli,
    /// A uniformly random subset of B samples.
    WithoutReplacement,
    /// B independent draws of one sample.
    WithReplacement,
}

/// The numbers in Q(M) = (1 − d) H M H + c V(M).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNoise {
    /// c, the weight of V(M) = (1/n) Σ Hᵢ M Hᵢ.
    pub samples: f64,
    /// d: the weight of H M H is 1 − d.
    pub pairs: f64,
}

impl Sampling {
    /// c and d for batches of `batch_size` out of `samples`.
    ///
    /// | | c | d |
    /// | --- | --- | --- |
    /// | Bernoulli | 1/B − 1/n | 0 |
    /// | without replacement | (n − B)/(B(n − 1)) | c |
    /// | with replacement | 1/B | c |
    ///
    /// # Errors
    /// [`StabilityError::BatchSize`] for B = 0, and for B > n except with replacement.
    pub fn noise(self, samples: usize, batch_size: usize) -> Result<BatchNoise, StabilityError> {
        if samples == 0 || batch_size == 0 || (batch_size > samples && self != Self::WithReplacement) {
            return Err(StabilityError::BatchSize { batch_size, samples });
        }
        let (n, b) = (samples as f64, batch_size as f64);
        Ok(match self {
            Self::Bernoulli => BatchNoise { samples: 1.0 / b - 1.0 / n, pairs: 0.0 },
            Self::WithoutReplacement if batch_size == samples => BatchNoise { samples: 0.0, pairs: 0.0 },
            Self::WithoutReplacement => {
                let c = (n - b) / (b * (n - 1.0));
                BatchNoise { samples: c, pairs: c }
            }
            Self::WithReplacement => BatchNoise { samples: 1.0 / b, pairs: 1.0 / b },
        })
    }
}
