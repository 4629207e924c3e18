//! The trials of a lab, whose rows say by `labels` and `seed` which of them they belong to.

use std::collections::BTreeMap;

use serde_json::json;

use super::{compact::Row, field::Field};

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
