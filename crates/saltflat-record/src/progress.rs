//! The numbers that a run carries from step to step beside its tensors.

use std::num::ParseFloatError;

use serde::{Deserialize, Serialize};

/// The numbers that a run carries from step to step. One that is not whole is [`Exact`]: JSON readers round its last bit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Steps made.
    pub step: u64,
    /// Rows of `metrics.jsonl` that belong to these steps.
    pub rows: u64,
    /// Samples of the epoch so far.
    pub epoch_samples: usize,
    /// Sum of the smallest possible losses of those samples.
    pub epoch_floor: Exact,
    /// Steps of the epoch whose noise was measured.
    pub epoch_noise_steps: u64,
    /// Sum of the weights in the running mean of the unscaled ‖ξ‖², for a noise with `strength`.
    pub strength_weight: Exact,
    /// The same of the second and further noises of a list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub strength_weights: Vec<Exact>,
    /// The first epoch's running loss, once it is known.
    pub first_loss: Option<Exact>,
    /// Measurements made.
    pub measurements: u64,
    /// Eigenvectors from which the next search starts.
    pub eigenvectors: usize,
    /// True if a measurement is to be made at this step.
    pub measurement_due: bool,
    /// The goal that was reached, which ends the run.
    pub goal: Option<String>,
    /// The best measurement so far.
    pub best: Option<Best>,
}

/// A measurement by which a checkpoint is the best.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Where it was made.
    pub step: u64,
    /// Value of the metric.
    pub value: Exact,
}

/// A number that stands in JSON as the shortest text that reads back as the same bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Exact(pub f64);

impl From<Exact> for String {
    fn from(Exact(number): Exact) -> Self {
        number.to_string()
    }
}

impl TryFrom<String> for Exact {
    type Error = ParseFloatError;

    fn try_from(text: String) -> Result<Self, ParseFloatError> {
        text.parse().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers whose last bit a JSON reader without exact rounding loses.
    #[test]
    fn numbers_keep_every_bit() {
        for value in [0.1 + 0.2, 1.0 / 3.0, 2.225_073_858_507_201e-308, f64::MAX] {
            let best = Best { step: 1, value: Exact(value) };
            let text = serde_json::to_string(&best).expect("it is JSON");
            assert_eq!(serde_json::from_str::<Best>(&text).expect("it was just written"), best, "{text}");
        }
    }
}
