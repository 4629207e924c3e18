//! The rows of a run, and who is given them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{MeasuredLoss, Snapshot, TrainError};

/// One epoch of training.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EpochRow {
    /// 1 for the first.
    pub epoch: u64,
    /// Steps made so far.
    pub step: u64,
    /// Learning rate of the epoch's last step.
    pub lr: f64,
    /// Mean over the epoch's samples of the loss that was trained on, with the drawn targets if they are trained on,
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

/// The values of an [`EpochRow`], by their names in `metrics.jsonl`: beside the [`METRICS`](crate::config::METRICS) what a curve
/// may show.
pub const EPOCH_VALUES: [&str; 7] =
    ["epoch", "step", "lr", "running_loss", "running_accuracy", "noise_sq", "noise_steps"];

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

/// Is told of the events of a run, in turn with all others if it is one of an array:
///
/// ```
/// use saltflat_train::{EpochRow, Observer, TrainError};
///
/// /// Counts epochs.
/// #[derive(Default)]
/// struct Epochs(u64);
///
/// impl Observer for Epochs {
///     fn epoch(&mut self, _row: &EpochRow) -> Result<(), TrainError> {
///         self.0 += 1;
///         Ok(())
///     }
/// }
///
/// let (mut one, mut other) = (Epochs::default(), Epochs::default());
/// let mut both: [&mut dyn Observer; 2] = [&mut one, &mut other];
/// both.step(1, 2);
/// ```
///
/// All methods do nothing unless they are implemented. The first error of an observer ends the run.
pub trait Observer {
    /// A step was made: of `of` steps in all. Called at every step; must be cheap.
    fn step(&mut self, _step: u64, _of: u64) {}
    /// A measurement starts.
    fn measurement_started(&mut self) {}
    /// An epoch ended.
    ///
    /// # Errors
    /// If the row cannot be kept.
    fn epoch(&mut self, _row: &EpochRow) -> Result<(), TrainError> {
        Ok(())
    }
    /// A measurement was made.
    ///
    /// # Errors
    /// If the row cannot be kept.
    fn measurement(&mut self, _row: &MeasurementRow) -> Result<(), TrainError> {
        Ok(())
    }
    /// A checkpoint is due.
    ///
    /// # Errors
    /// If it cannot be saved.
    fn checkpoint(&mut self, _snapshot: &Snapshot<'_>) -> Result<(), TrainError> {
        Ok(())
    }
}

/// Several observers, each told of every event in this order.
impl<const N: usize> Observer for [&mut dyn Observer; N] {
    fn step(&mut self, step: u64, of: u64) {
        self.iter_mut().for_each(|one| one.step(step, of));
    }

    fn measurement_started(&mut self) {
        self.iter_mut().for_each(|one| one.measurement_started());
    }

    fn epoch(&mut self, row: &EpochRow) -> Result<(), TrainError> {
        self.iter_mut().try_for_each(|one| one.epoch(row))
    }

    fn measurement(&mut self, row: &MeasurementRow) -> Result<(), TrainError> {
        self.iter_mut().try_for_each(|one| one.measurement(row))
    }

    fn checkpoint(&mut self, snapshot: &Snapshot<'_>) -> Result<(), TrainError> {
        self.iter_mut().try_for_each(|one| one.checkpoint(snapshot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_of_a_row() {
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
        let mut expected = EPOCH_VALUES;
        names.sort_unstable();
        expected.sort_unstable();
        assert_eq!(names, expected);
    }
}
