//! A run on a page.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use saltflat_record::{Environment, Field, RecordedTrial, Row, RunRecord, Status, entry, numbers, value};

use crate::{
    ReportError,
    measured_loss::{KnownLoss, MeasuredLoss},
    metric::{CurveAxis, DependsOn, depends_on},
};

/// A run on a page: its [record](RunRecord), and what tells it apart from the others.
#[derive(Debug, Clone, Default)]
pub struct Run {
    /// Where it lies.
    pub folder: PathBuf,
    /// Name of the folder.
    pub name: String,
    /// `config.toml`: the resolved configuration.
    pub config: toml::Table,
    /// `env.json`: version, device, precision, hashes of the data.
    pub environment: Environment,
    /// `status.json`: running, finished, diverged, interrupted or failed.
    pub status: String,
    /// Why it ended so.
    pub reason: Option<String>,
    /// Rows of epochs, in order.
    pub epochs: Vec<Row>,
    /// Rows of measurements, in order.
    pub measurements: Vec<Row>,
    /// Its labels, which name its group: axis (`noise`, `optimizer.lr`) to value.
    pub labels: BTreeMap<String, String>,
    /// The last step, as `status.json` says.
    pub step: u64,
    /// `run.seed`.
    pub seed: u64,
    /// Stage of a study, or name of a lab.
    pub stage: Option<String>,
}

impl Run {
    /// Reads a run folder, also of a run that is under way, failed or diverged. Labels and stage stay empty.
    ///
    /// # Errors
    /// [`ReportError::Run`] if a file is missing or cannot be read as what it should be.
    pub fn read(folder: &Path) -> Result<Self, ReportError> {
        let record = RunRecord::read(folder)?;
        record.check_end()?;
        Ok(record.into())
    }

    /// Reads a folder of one run, or that of a lab: a run for each of its complete trials.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_all(folder: &Path) -> Result<Vec<Self>, ReportError> {
        let mut record = RunRecord::read(folder)?;
        let trials = std::mem::take(&mut record.trials);
        if trials.is_empty() {
            record.check_end()?;
            return Ok(vec![record.into()]);
        }
        let whole = Self::from(record);
        let lab = whole.config.get("run").and_then(|run| run.get("name")).and_then(toml::Value::as_str);
        let lab = lab.unwrap_or(&whole.name).to_string();
        let base = Self { stage: Some(lab), epochs: Vec::new(), measurements: Vec::new(), ..whole };
        let run = |trial: RecordedTrial| {
            let RecordedTrial { labels, seed, status, reason, rows: measurements, .. } = trial;
            let mut run = Self { labels, seed, status, reason, measurements, ..base.clone() };
            run.name = format!("{}: {}, seed {seed}", base.name, run.group());
            run
        };
        Ok(trials.into_iter().map(run).collect())
    }

    /// The group: all labels joined (`label-flip, probability 0.2`), else the stage, else `all runs`. Seeds of one group
    /// make one line with a band.
    pub fn group(&self) -> String {
        if self.labels.is_empty() {
            return self.stage.clone().unwrap_or_else(|| "all runs".into());
        }
        self.labels.iter().map(|(axis, value)| labelled(axis, value)).collect::<Vec<_>>().join(", ")
    }

    /// Whether its last values tell how a run of its group ends: it neither diverged nor failed.
    pub fn counts(&self) -> bool {
        !matches!(self.status.as_str(), "diverged" | "failed")
    }

    /// The value of a metric in one of its rows; `stability_edge` is 2(1 + β)/η at the row's learning rate.
    pub fn value(&self, row: &Row, name: &str) -> Option<f64> {
        match name {
            "stability_edge" => self.stability_edge(row),
            _ => value(row, name),
        }
    }

    fn stability_edge(&self, row: &Row) -> Option<f64> {
        let lr = self.learning_rate(row).filter(|lr| *lr > 0.0)?;
        Some(2.0 * (1.0 + self.momentum()) / lr)
    }

    /// The learning rate at the time of a row, which a schedule changes; without a row of its epoch that of the configuration.
    pub(crate) fn learning_rate(&self, row: &Row) -> Option<f64> {
        // The rows are in order.
        let at = self.epochs.binary_search_by_key(&row.count("epoch"), |epoch| epoch.count("epoch"));
        let at_the_time = at.ok().and_then(|at| value(&self.epochs[at], "lr"));
        at_the_time.or_else(|| self.optimizer("lr"))
    }

    /// β of the configuration.
    pub(crate) fn momentum(&self) -> f64 {
        self.optimizer("momentum").unwrap_or(0.0)
    }

    fn optimizer(&self, key: &str) -> Option<f64> {
        let found = self.config.get("optimizer")?.get(key)?;
        found.as_float().or(found.as_integer().map(|whole| whole as f64))
    }

    /// A metric over epochs, steps or another metric: of the measurements, or of the epochs if no measurement has it.
    pub fn curve(&self, name: &str, over: CurveAxis) -> Vec<(f64, f64)> {
        let point = |row: &Row| Some((self.value(row, over.name())?, self.value(row, name)?));
        let measured: Vec<_> = self.measurements.iter().filter_map(point).collect();
        if measured.is_empty() { self.epochs.iter().filter_map(point).collect() } else { measured }
    }

    /// The last value of a metric.
    pub fn last(&self, name: &str) -> Option<f64> {
        self.curve(name, CurveAxis::Step).last().map(|p| p.1)
    }

    /// The rows that a curve of the metric is made of.
    pub(crate) fn rows_with<'a>(&'a self, name: &'a str) -> impl DoubleEndedIterator<Item = &'a Row> {
        let has = move |row: &&Row| self.value(row, name).is_some();
        let rows = if self.measurements.iter().any(|row| has(&row)) { &self.measurements } else { &self.epochs };
        rows.iter().filter(has)
    }

    /// The lab that this is a run of, if it is one.
    pub(crate) fn lab(&self) -> Option<&str> {
        self.config.get("lab")?;
        self.config.get("run")?.get("name")?.as_str()
    }

    /// The loss that a row was measured on: as the row says, else that of the training, which rows of old versions were measured on.
    pub fn measured_loss(&self, row: &Row) -> KnownLoss {
        MeasuredLoss::of_row(row).unwrap_or_else(|| match self.lab() {
            Some(lab) => {
                let setting = || self.config.get("lab")?.get("loss")?.as_str().map(String::from);
                Ok(MeasuredLoss::OfLab { lab: lab.into(), loss: self.labels.get("loss").cloned().or_else(setting) })
            }
            None => MeasuredLoss::of_training(&self.config),
        })
    }

    /// The loss that a metric of a row depends on; `None` if it depends on none.
    pub(crate) fn loss_of(&self, row: &Row, name: &str) -> Option<KnownLoss> {
        match depends_on(name) {
            DependsOn::NoLoss => None,
            DependsOn::MeasuredLoss => Some(self.measured_loss(row)),
            DependsOn::TrainingLoss => Some(match self.lab() {
                Some(_) => self.measured_loss(row),
                None => MeasuredLoss::of_training(&self.config),
            }),
        }
    }

    /// The loss that the last value of a metric depends on; `None` if it has no value, or depends on none.
    pub(crate) fn loss_of_last(&self, name: &str) -> Option<KnownLoss> {
        self.loss_of(self.rows_with(name).next_back()?, name)
    }

    /// The losses that the values of a metric depend on, each once: one, unless the run was resumed with another.
    pub(crate) fn losses_of(&self, name: &str) -> Vec<KnownLoss> {
        let lists = self.measurements.iter().filter(|row| !numbers(row, name).is_empty());
        each_once(self.rows_with(name).chain(lists).filter_map(|row| self.loss_of(row, name)))
    }
}

impl From<RunRecord> for Run {
    fn from(record: RunRecord) -> Self {
        let RunRecord { folder, name, config, environment, status, epochs, measurements, .. } = record;
        let seed = config.get("run").and_then(|run| run.get("seed")).and_then(toml::Value::as_integer);
        let seed = seed.and_then(|seed| u64::try_from(seed).ok()).unwrap_or(0);
        let Status { status, reason, step, .. } = status;
        let (labels, stage) = (BTreeMap::new(), None);
        Self { folder, name, config, environment, status, reason, epochs, measurements, labels, step, seed, stage }
    }
}

/// The items without repetitions, in the order of their first appearance.
pub(crate) fn each_once<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut distinct = Vec::new();
    for item in items {
        if !distinct.contains(&item) {
            distinct.push(item);
        }
    }
    distinct
}

/// The spectral density of a row; none if it is absent with a reason.
pub(crate) fn spectral_density(row: &Row) -> Option<Field<'_>> {
    entry(row, "spectral_density").filter(|found| found.get("dimension").is_some())
}

/// A label that can stand without its axis, or with the last word of it.
fn labelled(axis: &str, value: &str) -> String {
    let bare = value.parse::<f64>().is_ok() || matches!(value, "none" | "true" | "false" | "");
    if !bare {
        return value.into();
    }
    let name = axis.strip_suffix(".kind").unwrap_or(axis);
    format!("{} {value}", name.rsplit('.').next().unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(config: &str) -> Run {
        Run { config: toml::from_str(config).unwrap(), ..Run::default() }
    }

    #[test]
    fn the_edge_is_that_of_the_rate_at_the_time() {
        let mut run = run("[optimizer]\nlr = 0.5\nmomentum = 0.5");
        let row = |text: &str| serde_json::from_str::<Row>(text).unwrap();
        assert_eq!(run.value(&row(r#"{"epoch":3}"#), "stability_edge"), Some(6.0));
        run.epochs = vec![row(r#"{"epoch":3,"lr":0.25}"#)];
        assert_eq!(run.value(&row(r#"{"epoch":3}"#), "stability_edge"), Some(12.0));
    }
}
