//! How a run tells what it does.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::MeasuredLoss;

/// One epoch of training.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EpochRow {
    /// 1 for the first.
    pub epoch: u64,
    /// Steps made so far.
    pub step: u64,
    /// Learning rate of the epoch's last step.
    pub lr: f64,
    /// Mean over the epoch's samples of the loss that was trained on, with the drawn targets where they are trained on,
    /// counted from the expected loss's floor (under a schedule of the noise, that of each step).
    pub running_loss: f64,
    /// Part of the epoch's samples that were classified rightly as they came, against clean labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub running_accuracy: Option<f64>,
    /// Mean ‖ξ‖² of the noise in the gradient, over the steps of the epoch where it was measured: the achieved strength beside
    /// `noise.strength`. Noise on the parameters counts as the gradient noise that moves them as far, displacement over η. Of
    /// several noises, which are independent and of mean zero, the sum of their ‖ξ‖²: its expectation is E‖Σξ‖², without the
    /// variance of the products ⟨ξ, ξ′⟩.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noise_sq: Option<f64>,
    /// Those steps.
    #[serde(skip_serializing_if = "is_zero")]
    pub noise_steps: u64,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// One measurement: the metrics by name, each with value, standard error, probes or the reason why it is absent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeasurementRow {
    /// Epochs made so far; 0 is the start.
    pub epoch: u64,
    /// Steps made so far.
    pub step: u64,
    /// Training samples on which curvature and gradient norm were measured.
    pub curvature_samples: usize,
    /// Training samples on which the alignment was measured.
    pub alignment_samples: usize,
    /// The loss of which the metrics are; absent in rows of old versions, whose metrics are of the trained loss.
    #[serde(default)]
    pub measured_loss: Option<MeasuredLoss>,
    /// By the names of the definitions (`trace_hessian`, `alpha`, …).
    pub metrics: Map<String, Value>,
}

impl MeasurementRow {
    /// Value of a metric, if it has one.
    pub fn value(&self, name: &str) -> Option<f64> {
        self.metrics.get(name)?.get("value")?.as_f64()
    }

    /// Standard error of a metric, if it has one.
    pub fn std_error(&self, name: &str) -> Option<f64> {
        self.metrics.get(name)?.get("std_error")?.as_f64()
    }
}

/// Receives what happens in a run. All methods do nothing unless implemented.
pub trait Observer {
    /// A step was made: of `of` steps in all. Called at every step; must be cheap.
    fn step(&mut self, _step: u64, _of: u64) {}
    /// A measurement starts.
    fn measuring(&mut self, _epoch: u64) {}
    /// An epoch ended.
    fn epoch(&mut self, _row: &EpochRow) -> Result<(), crate::TrainError> {
        Ok(())
    }
    /// A measurement was made.
    fn measurement(&mut self, _row: &MeasurementRow) -> Result<(), crate::TrainError> {
        Ok(())
    }
    /// A checkpoint is due.
    fn checkpoint(&mut self, _trainer: &crate::Trainer<'_>) -> Result<(), crate::TrainError> {
        Ok(())
    }
    /// Something that a person should know.
    fn message(&mut self, _text: &str) {}
}

#[cfg(test)]
mod tests {
    use saltflat_record::metric::{Origin, groups_from};

    use super::*;

    #[test]
    fn the_catalogue_has_the_values_of_a_row() {
        let row = EpochRow {
            epoch: 1,
            step: 2,
            lr: 0.1,
            running_loss: 1.0,
            running_accuracy: Some(0.5),
            noise_sq: Some(1.0),
            noise_steps: 1,
        };
        let row = serde_json::to_value(row).expect("a row");
        let mut names: Vec<&str> = row.as_object().expect("an object").keys().map(String::as_str).collect();
        let values = groups_from(Origin::EpochRow).flat_map(|group| group.metrics);
        let mut expected: Vec<&str> = values.map(|metric| metric.name).collect();
        names.sort_unstable();
        expected.sort_unstable();
        assert_eq!(names, expected);
    }
}
