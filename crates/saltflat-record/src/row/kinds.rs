//! What the kinds of rows hold, and the trials of a lab, whose rows say by `labels` and `seed` which of them they belong to.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{compact::Row, shape::Field};

/// A row as a line of `metrics.jsonl`: its kind, then what it holds.
pub fn line(kind: &str, row: &impl Serialize) -> serde_json::Result<String> {
    #[derive(Serialize)]
    struct Line<'a, R> {
        kind: &'a str,
        #[serde(flatten)]
        row: &'a R,
    }
    serde_json::to_string(&Line { kind, row }).map(|line| line + "\n")
}

/// One epoch of training; kind `epoch`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EpochRow {
    /// 1 for the first.
    pub epoch: u64,
    /// Steps made so far.
    pub step: u64,
    /// Learning rate of the epoch's last step.
    pub lr: f64,
    /// Mean over the epoch's samples of the loss that was trained on, with the drawn targets if they are trained on,
    /// less the smallest value of the expected loss (under a schedule of the noise, that of each step).
    pub running_loss: f64,
    /// Part of the epoch's samples that were classified rightly as they came, against clean labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub running_accuracy: Option<f64>,
    /// Mean ‖ξ‖² of the noise in the gradient, over the steps of the epoch in which it was measured: the achieved strength beside
    /// `noise.strength`. Noise on the parameters counts as the gradient noise that moves them as far, displacement over η. Of
    /// several noises, which are independent and of mean zero, the sum of their ‖ξ‖²: its expectation is E‖Σξ‖², without the
    /// variance of the products ⟨ξ, ξ′⟩.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noise_sq: Option<f64>,
    /// Number of the steps in which it was measured.
    #[serde(skip_serializing_if = "is_zero")]
    pub noise_steps: u64,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// One measurement: the metrics by name, each with value, standard error, probes or the reason why it is absent; kind `measurement`.
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
    pub measured_loss: Option<RecordedLoss>,
    /// The metrics by their names in the [catalogue](crate::metric) (`trace_hessian`, `alpha`, …).
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

/// The loss that a measurement was made on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordedLoss {
    /// `cross_entropy` or `square`.
    pub kind: String,
    /// Label smoothing; 0 for none.
    pub smoothing: f64,
    /// The smallest value that the smoothed loss can have; `loss` and `test_loss` are counted from it.
    pub floor: f64,
    /// Factor of ½‖θ‖² in the loss; 0 for none.
    pub weight_decay: f64,
    /// The split over whose samples it is the mean; not written if these are the training samples. `loss` and `test_loss` are each of its own
    /// split whatever this says.
    #[serde(default = "training_split", skip_serializing_if = "is_training_split")]
    pub split: String,
}

/// The split that is meant where none is said.
const TRAINING_SPLIT: &str = "train";

fn training_split() -> String {
    TRAINING_SPLIT.into()
}

fn is_training_split(split: &String) -> bool {
    split == TRAINING_SPLIT
}

impl RecordedLoss {
    /// True if it is the mean over the training samples.
    pub fn is_of_training_samples(&self) -> bool {
        is_training_split(&self.split)
    }

    /// The loss that a row says, if it says one: rows of old versions do not.
    ///
    /// # Errors
    /// Says which key is missing.
    pub fn of_row(row: &Row) -> Option<Result<Self, String>> {
        let written = row.get("measured_loss").filter(|written| !written.is_null())?;
        let missing = |key: &str| format!("measured_loss of a row cannot be read: it has no {key}");
        let number = |key: &str| written.get(key).and_then(Field::as_f64).ok_or_else(|| missing(key));
        let read = || {
            let kind = written.get("kind").and_then(Field::as_str).ok_or_else(|| missing("kind"))?;
            let (smoothing, floor, weight_decay) = (number("smoothing")?, number("floor")?, number("weight_decay")?);
            let split = written.get("split").and_then(Field::as_str).unwrap_or(TRAINING_SPLIT).into();
            Ok(Self { kind: kind.into(), smoothing, floor, weight_decay, split })
        };
        Some(read())
    }
}

impl fmt::Display for RecordedLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, smoothing, floor, weight_decay, split } = self;
        let parts = [
            (*smoothing, format!(" with smoothing {smoothing}")),
            (*floor, format!(", counted from its floor {floor:.6}")),
            (*weight_decay, format!(", weight decay {weight_decay}")),
        ];
        f.write_str(kind)?;
        parts.iter().filter(|(number, _)| *number != 0.0).try_for_each(|(_, text)| f.write_str(text))?;
        if self.is_of_training_samples() { Ok(()) } else { write!(f, ", on the {split} samples") }
    }
}

/// One measurement in a trial of a lab; kind `measurement`.
#[derive(Clone, Debug, Serialize)]
pub struct TrialMeasurement<'a> {
    /// Axis to value of the trial.
    pub labels: &'a BTreeMap<String, String>,
    /// Name to value; what is not finite becomes null.
    pub metrics: &'a BTreeMap<String, f64>,
    /// Seed of the trial.
    pub seed: u64,
    /// Steps made, or the number of a point of a diagram.
    pub step: u64,
}

/// The end of a trial of a lab; kind `trial`.
#[derive(Clone, Debug, Serialize)]
pub struct TrialEnd<'a> {
    /// Axis to value of the trial.
    pub labels: &'a BTreeMap<String, String>,
    /// Why it diverged.
    pub reason: Option<&'a str>,
    /// Number of its measurements.
    pub rows: usize,
    /// Seed of the trial.
    pub seed: u64,
    /// `finished` or `diverged`.
    pub status: &'a str,
    /// Step of the last measurement.
    pub step: u64,
}

/// A trial whose last row is there.
#[derive(Clone, Debug)]
pub struct RecordedTrial {
    /// Axis to value.
    pub labels: BTreeMap<String, String>,
    /// Trials that differ in their seeds alone are one group.
    pub seed: u64,
    /// `finished` or `diverged`.
    pub status: String,
    /// Why it diverged.
    pub reason: Option<String>,
    /// Its measurements, in order.
    pub rows: Vec<Row>,
}

/// Puts the rows of a lab together into trials.
#[derive(Debug, Default)]
pub struct TrialReader {
    /// The measurements of the trials whose last row has not come yet.
    open: BTreeMap<String, Vec<Row>>,
}

impl TrialReader {
    /// The [name](trial_name) of the trial that a row belongs to, if it belongs to one.
    pub fn name(row: &Row) -> Option<String> {
        let (labels, seed) = (row.get("labels")?, row.get("seed")?.as_u64()?);
        labels.is_object().then(|| json!([labels.to_value(), seed]).to_string())
    }

    /// Adds a row; gives the trial that ends with it, if all of its measurements were there.
    pub fn add(&mut self, row: &Row) -> Option<RecordedTrial> {
        let name = Self::name(row)?;
        if row.kind() != "trial" {
            self.open.entry(name).or_default().push(row.clone());
            return None;
        }
        let rows = self.open.remove(&name).unwrap_or_default();
        let expected = row.get("rows").and_then(Field::as_u64);
        if expected.is_some_and(|expected| expected != rows.len() as u64) {
            return None;
        }
        let label = |(axis, value): (&str, Field<'_>)| Some((axis.to_string(), value.as_str()?.to_string()));
        let text = |key: &str| row.get(key).and_then(Field::as_str).map(String::from);
        Some(RecordedTrial {
            labels: row.get("labels").into_iter().flat_map(Field::entries).filter_map(label).collect(),
            seed: row.count("seed"),
            status: text("status").unwrap_or_default(),
            reason: text("reason"),
            rows,
        })
    }
}

/// What tells a trial from the others of its lab: its labels and its seed, as JSON.
pub fn trial_name(labels: &BTreeMap<String, String>, seed: u64) -> String {
    json!([labels, seed]).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::{Origin, groups_from};

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

    #[test]
    fn a_trial_needs_all_of_its_rows() {
        let row = |text: &str| serde_json::from_str::<Row>(text).unwrap();
        let measured = row(r#"{"kind":"measurement","labels":{"b":"2"},"seed":3,"step":1}"#);
        let end = row(r#"{"kind":"trial","labels":{"b":"2"},"rows":1,"seed":3,"status":"diverged","reason":"far"}"#);
        let mut reader = TrialReader::default();
        assert!(reader.add(&end).is_none());
        assert!(reader.add(&measured).is_none());
        let trial = reader.add(&end).unwrap();
        assert_eq!((trial.seed, trial.status.as_str(), trial.rows.len()), (3, "diverged", 1));
        assert_eq!(TrialReader::name(&end).unwrap(), trial_name(&BTreeMap::from([("b".into(), "2".into())]), 3));
        assert!(reader.add(&row(r#"{"kind":"epoch","step":1}"#)).is_none());
    }
}
