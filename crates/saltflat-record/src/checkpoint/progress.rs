//! The numbers that a run carries from step to step beside its tensors.

use serde::{Deserialize, Serialize};

/// The numbers that a run carries from step to step. One that is not whole stands as text: JSON readers round its last bit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Steps made.
    pub step: u64,
    /// Rows of `metrics.jsonl` that belong to these steps.
    pub rows: u64,
    /// Samples of the epoch so far.
    pub epoch_samples: usize,
    /// Sum of the smallest possible losses of those samples.
    #[serde(with = "as_text")]
    pub epoch_floor: f64,
    /// Steps of the epoch whose noise was measured.
    pub epoch_noise_steps: u64,
    /// Sum of the weights in the running mean of the unscaled ‖ξ‖², for a noise with `strength`.
    #[serde(with = "as_text")]
    pub strength_weight: f64,
    /// The same of the second and further noises of a list.
    #[serde(with = "as_text", default, skip_serializing_if = "Vec::is_empty")]
    pub strength_weights: Vec<f64>,
    /// The first epoch's running loss, once it is known.
    #[serde(with = "as_text", default)]
    pub first_loss: Option<f64>,
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
    #[serde(with = "as_text")]
    pub value: f64,
}

/// Numbers as the shortest texts that read back as the same bits.
mod as_text {
    use std::num::ParseFloatError;

    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned, de::Error};

    pub fn serialize<T: AsText, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        value.to_text().serialize(serializer)
    }

    pub fn deserialize<'de, T: AsText, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        T::parse(T::Text::deserialize(deserializer)?).map_err(D::Error::custom)
    }

    pub trait AsText: Sized {
        type Text: Serialize + DeserializeOwned;
        fn to_text(&self) -> Self::Text;
        fn parse(text: Self::Text) -> Result<Self, ParseFloatError>;
    }

    impl AsText for f64 {
        type Text = String;
        fn to_text(&self) -> String {
            self.to_string()
        }
        fn parse(text: String) -> Result<Self, ParseFloatError> {
            text.parse()
        }
    }

    impl AsText for Option<f64> {
        type Text = Option<String>;
        fn to_text(&self) -> Option<String> {
            self.as_ref().map(AsText::to_text)
        }
        fn parse(text: Option<String>) -> Result<Self, ParseFloatError> {
            text.map(AsText::parse).transpose()
        }
    }

    impl AsText for Vec<f64> {
        type Text = Vec<String>;
        fn to_text(&self) -> Vec<String> {
            self.iter().map(AsText::to_text).collect()
        }
        fn parse(text: Vec<String>) -> Result<Self, ParseFloatError> {
            text.into_iter().map(AsText::parse).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers whose last bit a JSON reader without exact rounding loses.
    #[test]
    fn numbers_keep_every_bit() {
        for value in [0.1 + 0.2, 1.0 / 3.0, 2.225_073_858_507_201e-308, f64::MAX] {
            let best = Best { step: 1, value };
            let text = serde_json::to_string(&best).expect("it is JSON");
            assert_eq!(serde_json::from_str::<Best>(&text).expect("it was just written"), best, "{text}");
        }
    }
}
