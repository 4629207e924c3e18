//! A run as its folder tells it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use saltflat_record::{open_regular, read_text};
use serde_json::{Map, Value};

use crate::{
    Field, PlotError, Row,
    measured_loss::{KnownLoss, MeasuredLoss},
    metric::{DependsOn, depends_on},
    row::Rows,
};

/// What a path is that exists and cannot be the folder of a run.
fn no_run(path: &Path) -> Option<String> {
    if path.is_file() {
        return Some("is a file, expected the folder of a run".into());
    }
    let shown = path.display();
    (path.is_dir() && path.join("manifest.json").is_file()).then(|| {
        format!(
            "is the folder of a study, expected that of a run, {shown}/STAGE/RUN; saltflat study {shown} --page writes the page of the study"
        )
    })
}

/// Keys of a configuration that do not tell groups apart: the seeds of a group differ in them.
const OF_THE_RUN: [&str; 5] = ["run.seed", "run.name", "train.init", "train.init_sha256", "data.seed"];

/// True for keys that change nothing in the numbers of a run: where its event files and checkpoints are, and when it is saved.
pub(crate) fn is_bookkeeping(key: &str) -> bool {
    key == "run.tensorboard" || key.starts_with("train.checkpoint.")
}

/// What a curve runs over: `epoch`, `step`, or the name of a metric.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(from = "String")]
pub enum Over {
    /// Epochs made.
    #[default]
    Epoch,
    /// Steps made.
    Step,
    /// Another metric of the same row.
    Metric(String),
}

impl From<String> for Over {
    fn from(name: String) -> Self {
        match name.as_str() {
            "epoch" => Over::Epoch,
            "step" => Over::Step,
            _ => Over::Metric(name),
        }
    }
}

impl Over {
    /// The key in a row.
    pub(crate) fn name(&self) -> &str {
        match self {
            Over::Epoch => "epoch",
            Over::Step => "step",
            Over::Metric(name) => name,
        }
    }
}

/// A run folder: what ran, where, how it ended and what was measured.
#[derive(Debug, Clone, Default)]
pub struct Run {
    /// Where it lies.
    pub folder: PathBuf,
    /// Name of the folder.
    pub name: String,
    /// `config.toml`: the resolved configuration.
    pub config: toml::Table,
    /// `env.json`: version, device, precision, hashes of the data.
    pub env: Map<String, Value>,
    /// `status.json`: running, finished, diverged, interrupted or failed.
    pub status: String,
    /// Why it ended so.
    pub reason: Option<String>,
    /// Rows of epochs, in order.
    pub epochs: Vec<Row>,
    /// Rows of measurements, in order.
    pub measurements: Vec<Row>,
    /// What tells its group from others: axis (`noise`, `optimizer.lr`) to value.
    pub labels: BTreeMap<String, String>,
    /// The last step, as `status.json` says.
    pub step: u64,
    /// `run.seed`.
    pub seed: u64,
    /// Stage of a study, or name of a lab.
    pub stage: Option<String>,
}

impl Run {
    /// Reads a run folder, also of a run that is under way, failed or diverged. A torn last line of `metrics.jsonl` is left
    /// out; of the rows of one epoch, and of the measurements at one step, the last counts. Labels and stage stay empty.
    ///
    /// # Errors
    /// [`PlotError::Run`] where a file is missing or cannot be read as what it should be.
    pub fn read(folder: &Path) -> Result<Self, PlotError> {
        Self::with_rows(folder, &mut |_| {})?.with_its_end()
    }

    /// The run, with a function that is given each row as it stands in the file.
    fn with_rows(folder: &Path, each: &mut dyn FnMut(&Row)) -> Result<Self, PlotError> {
        if let Some(reason) = no_run(folder) {
            return Err(PlotError::Run { path: folder.into(), reason });
        }
        let text = |name: &str| {
            let path = folder.join(name);
            read_text(&path).map_err(|e| PlotError::Run { path, reason: e.to_string() })
        };
        let wrong = |name: &str, reason: String| PlotError::Run { path: folder.join(name), reason };
        let json = |name: &str| -> Result<Map<String, Value>, PlotError> {
            serde_json::from_str(&text(name)?).map_err(|e| wrong(name, format!("expected a JSON object: {e}")))
        };
        let config: toml::Table =
            toml::from_str(&text("config.toml")?).map_err(|e| wrong("config.toml", e.message().to_string()))?;
        if config.is_empty() {
            return Err(wrong("config.toml", "is empty, expected the configuration of the run".into()));
        }
        let status = json("status.json")?;
        let said = |key: &str| status.get(key).and_then(Value::as_str).map(String::from);
        let file = open_regular(&folder.join("metrics.jsonl"));
        let file = file.map_err(|e| wrong("metrics.jsonl", e.to_string()))?;
        // An epoch that the end of the run cut short has a second row once a resumed run has completed it.
        let (mut epochs, mut measurements) = (BTreeMap::new(), BTreeMap::new());
        let mut take = |row: Row| {
            each(&row);
            match row.get("kind").and_then(Field::as_str) {
                Some("epoch") => drop(epochs.insert(count(&row, "epoch"), row)),
                Some("measurement") => drop(measurements.insert(count(&row, "step"), row)),
                _ => {}
            }
        };
        rows(BufReader::new(file), &mut take).map_err(|reason| wrong("metrics.jsonl", reason))?;
        let full = fs::canonicalize(folder).unwrap_or_else(|_| folder.into());
        let seed = config.get("run").and_then(|run| run.get("seed")).and_then(toml::Value::as_integer);
        Ok(Self {
            folder: folder.into(),
            name: full.file_name().unwrap_or(folder.as_os_str()).to_string_lossy().into_owned(),
            env: json("env.json")?,
            status: said("status").ok_or_else(|| wrong("status.json", "expected the key status with a text".into()))?,
            reason: said("reason"),
            epochs: epochs.into_values().collect(),
            measurements: measurements.into_values().collect(),
            labels: BTreeMap::new(),
            step: status.get("step").and_then(Value::as_u64).unwrap_or(0),
            seed: seed.and_then(|seed| u64::try_from(seed).ok()).unwrap_or(0),
            stage: None,
            config,
        })
    }

    /// Reads a folder of one run, or that of a lab, whose rows say by `labels` and `seed` which of its trials they belong to: a
    /// run for each. Of a trial that is not whole there is none.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_all(folder: &Path) -> Result<Vec<Self>, PlotError> {
        /// A trial's last row, and its others.
        type Trial = (Row, Vec<Row>);
        let mut trials: Vec<Trial> = Vec::new();
        let mut open: BTreeMap<String, Vec<Row>> = BTreeMap::new();
        let whole = Self::with_rows(folder, &mut |row| {
            let labels = row.get("labels").filter(|labels| labels.is_object());
            let (Some(labels), Some(seed)) = (labels, row.get("seed").and_then(Field::as_u64)) else { return };
            let name = format!("{} {seed}", labels.to_value());
            match row.get("kind").and_then(Field::as_str) {
                Some("trial") => trials.push((row.clone(), open.remove(&name).unwrap_or_default())),
                _ => open.entry(name).or_default().push(row.clone()),
            }
        })?;
        if trials.is_empty() {
            return Ok(vec![whole.with_its_end()?]);
        }
        let lab = whole.config.get("run").and_then(|run| run.get("name")).and_then(toml::Value::as_str);
        let lab = lab.unwrap_or(&whole.name).to_string();
        let base = Self { stage: Some(lab), epochs: Vec::new(), measurements: Vec::new(), ..whole };
        let run = |(row, measurements): Trial| {
            let label = |(axis, value): (&str, Field<'_>)| Some((axis.to_string(), value.as_str()?.to_string()));
            let said = |key: &str| row.get(key).and_then(Field::as_str).map(String::from);
            let seed = row.get("seed").and_then(Field::as_u64).unwrap_or_default();
            let mut trial = Self {
                labels: row.get("labels").into_iter().flat_map(Field::entries).filter_map(label).collect(),
                seed,
                status: said("status").unwrap_or_default(),
                reason: said("reason"),
                measurements,
                ..base.clone()
            };
            trial.name = format!("{}: {}, seed {seed}", base.name, trial.group());
            trial
        };
        Ok(trials.into_iter().map(run).collect())
    }

    /// The run, unless it has finished and its rows end before: its last values would be those of an earlier epoch. Bernoulli sampling can
    /// draw no sample in the last epoch, which has no row then.
    fn with_its_end(self) -> Result<Self, PlotError> {
        let sampling =
            self.config.get("optimizer").and_then(|table| table.get("sampling")).and_then(toml::Value::as_str);
        let last = self.epochs.iter().chain(&self.measurements).map(|row| count(row, "step")).max().unwrap_or(0);
        if self.status != "finished" || last >= self.step || sampling == Some("bernoulli") {
            return Ok(self);
        }
        let reason = format!("its rows end at step {last}, and the run has finished at step {}", self.step);
        Err(PlotError::Run { path: self.folder.join("metrics.jsonl"), reason })
    }

    /// The group: all labels joined (`label-flip, probability 0.2`), else the stage, else `all runs`. Seeds of one group
    /// make one line with a band.
    pub fn group(&self) -> String {
        if self.labels.is_empty() {
            return self.stage.clone().unwrap_or_else(|| "all runs".into());
        }
        self.labels.iter().map(|(axis, value)| labelled(axis, value)).collect::<Vec<_>>().join(", ")
    }

    /// Whether its last values say where a run of its group ends: it neither diverged nor failed.
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
        let optimizer = self.config.get("optimizer")?;
        let number = |key: &str| optimizer.get(key).and_then(|v| v.as_float().or(v.as_integer().map(|i| i as f64)));
        // The rows are in order.
        let at = self.epochs.binary_search_by_key(&count(row, "epoch"), |epoch| count(epoch, "epoch"));
        let at_the_time = at.ok().and_then(|at| value(&self.epochs[at], "lr"));
        let lr = at_the_time.or_else(|| number("lr")).filter(|lr| *lr > 0.0)?;
        Some(2.0 * (1.0 + number("momentum").unwrap_or(0.0)) / lr)
    }

    /// A metric over epochs, steps or another metric: of the measurements, or of the epochs where no measurement has it.
    pub fn curve(&self, name: &str, over: Over) -> Vec<(f64, f64)> {
        let point = |row: &Row| Some((self.value(row, over.name())?, self.value(row, name)?));
        let measured: Vec<_> = self.measurements.iter().filter_map(point).collect();
        if measured.is_empty() { self.epochs.iter().filter_map(point).collect() } else { measured }
    }

    /// The last value of a metric.
    pub fn last(&self, name: &str) -> Option<f64> {
        self.curve(name, Over::Step).last().map(|p| p.1)
    }

    /// The row that holds the last value of a metric.
    fn last_row<'a>(&'a self, name: &'a str) -> Option<&'a Row> {
        self.rows_with(name).next_back()
    }

    /// The rows that a curve of the metric is made of.
    fn rows_with<'a>(&'a self, name: &'a str) -> impl DoubleEndedIterator<Item = &'a Row> {
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
        self.loss_of(self.last_row(name)?, name)
    }

    /// The losses that the values of a metric depend on, each once: one, unless the run was resumed with another.
    pub(crate) fn losses_of(&self, name: &str) -> Vec<KnownLoss> {
        let lists = self.measurements.iter().filter(|row| !numbers(row, name).is_empty());
        let mut losses: Vec<KnownLoss> = Vec::new();
        for loss in self.rows_with(name).chain(lists).filter_map(|row| self.loss_of(row, name)) {
            if !losses.contains(&loss) {
                losses.push(loss);
            }
        }
        losses
    }

    /// The configuration as dotted keys with their values as text.
    pub fn flat_config(&self) -> BTreeMap<String, String> {
        let mut flat = BTreeMap::new();
        flatten("", &self.config, &mut flat);
        flat
    }
}

/// Value of a metric in a row of either kind: a number, an estimate's `value`, or the first of a list of estimates, such as
/// the largest of `top_eigenvalues`; a list of numbers (`feature_norms`) has none. `trace_hessian_by_tensor.NAME` goes into a map.
pub fn value(row: &Row, name: &str) -> Option<f64> {
    let entry = entry(row, name)?;
    entry.as_f64().or_else(|| entry.get("value")?.as_f64())
}

/// The numbers of a metric that is a list of them, such as `feature_norms`; empty for any other.
pub fn numbers(row: &Row, name: &str) -> Vec<f64> {
    let list = row.get("metrics").and_then(|metrics| metrics.get(name));
    list.into_iter().flat_map(Field::items).filter_map(Field::as_f64).collect()
}

/// Standard error of a metric in a row, where it has one.
pub fn std_error(row: &Row, name: &str) -> Option<f64> {
    entry(row, name)?.get("std_error")?.as_f64()
}

/// The spectral density of a row; none where it is absent with a reason.
pub(crate) fn spectral_density(row: &Row) -> Option<Field<'_>> {
    entry(row, "spectral_density").filter(|found| found.get("dimension").is_some())
}

pub(crate) fn entry<'a>(row: &'a Row, name: &str) -> Option<Field<'a>> {
    let inner = |metrics: Field<'a>| {
        let (outer, inner) = name.split_once('.')?;
        metrics.get(outer)?.get(inner)
    };
    let found = row.get("metrics").and_then(|m| m.get(name).or_else(|| inner(m))).or_else(|| row.get(name))?;
    if found.is_list() { found.items().next().filter(|first| first.is_object()) } else { Some(found) }
}

/// Labels runs by the keys in which the configurations of their stage differ, beside the labels that a lab gave its trials. Seeds,
/// names and starts are left out, and so are keys that follow from the `kind` of their section, or of one around it: those on
/// which all runs that have them agree.
pub fn label_by_differences(runs: &mut [Run]) {
    let stages: BTreeSet<Option<String>> = runs.iter().map(|run| run.stage.clone()).collect();
    for stage in stages {
        let mut of_stage: Vec<&mut Run> = runs.iter_mut().filter(|run| run.stage == stage).collect();
        if stage.is_none() {
            of_stage.iter_mut().for_each(|run| run.labels.clear());
        }
        label_within(&mut of_stage);
    }
}

fn label_within(runs: &mut [&mut Run]) {
    let flat: Vec<BTreeMap<String, String>> = runs.iter().map(|run| run.flat_config()).collect();
    let keys: BTreeSet<&String> = flat.iter().flat_map(|config| config.keys()).collect();
    let differs = |key: &&&String| flat.windows(2).any(|pair| pair[0].get(**key) != pair[1].get(**key));
    let follows = |key: &&&String| {
        let mut kinds = key.match_indices('.').map(|(end, _)| format!("{}.kind", &key[..end]));
        let values: BTreeSet<&String> = flat.iter().filter_map(|config| config.get(**key)).collect();
        values.len() == 1 && kinds.any(|kind| differs(&&&kind))
    };
    let axes: Vec<&String> = keys
        .iter()
        .filter(|key| !OF_THE_RUN.contains(&key.as_str()) && !is_bookkeeping(key))
        .filter(differs)
        .filter(|key| !follows(key))
        .copied()
        .collect();
    for (run, config) in runs.iter_mut().zip(&flat) {
        run.labels.extend(axes.iter().filter_map(|axis| Some(((*axis).clone(), config.get(*axis)?.clone()))));
    }
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

fn flatten(prefix: &str, table: &toml::Table, flat: &mut BTreeMap<String, String>) {
    for (key, value) in table {
        let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            toml::Value::Table(inner) => flatten(&key, inner, flat),
            toml::Value::Array(list) if kinds(list).is_some() => flatten_kinds(&key, list, flat),
            toml::Value::String(text) => drop(flat.insert(key, text.clone())),
            toml::Value::Float(number) => drop(flat.insert(key, number.to_string())),
            other => drop(flat.insert(key, other.to_string())),
        }
    }
}

/// The kinds of a list of tables that each have one, such as that of several noises.
fn kinds(list: &[toml::Value]) -> Option<Vec<&str>> {
    let kinds = list.iter().map(|one| one.get("kind")?.as_str()).collect::<Option<Vec<_>>>()?;
    (!kinds.is_empty()).then_some(kinds)
}

/// Such a list as `noise.kind`, "label-flip + logit-gaussian", and `noise.label-flip.probability` for the keys of each.
fn flatten_kinds(prefix: &str, list: &[toml::Value], flat: &mut BTreeMap<String, String>) {
    let kinds = kinds(list).unwrap_or_default();
    flat.insert(format!("{prefix}.kind"), kinds.join(" + "));
    for (kind, one) in kinds.iter().zip(list) {
        let mut keys = one.as_table().cloned().unwrap_or_default();
        keys.remove("kind");
        flatten(&format!("{prefix}.{kind}"), &keys, flat);
    }
}

/// Bytes of the longest row that is read. One with a density of a thousand points and a slice of as many has fewer than a tenth of a
/// mebibyte.
const LONGEST_LINE: u64 = 64 << 20;

/// Gives each line as an object, in order; the last one may be torn, also within a letter.
fn rows(mut text: impl BufRead, each: &mut dyn FnMut(Row)) -> Result<(), String> {
    let (mut rows, mut line, mut torn) = (Rows::default(), Vec::new(), None);
    for number in 1_u64.. {
        line.clear();
        if Read::take(&mut text, LONGEST_LINE + 1).read_until(b'\n', &mut line).map_err(|e| e.to_string())? == 0 {
            break;
        }
        if line.len() as u64 > LONGEST_LINE {
            return Err(format!("line {number} is longer than {} MiB", LONGEST_LINE >> 20));
        }
        if let Some(torn) = torn {
            return Err(torn);
        }
        let line = String::from_utf8_lossy(&line);
        torn = match line.trim().is_empty() {
            true => None,
            false => match serde_json::from_str::<Map<String, Value>>(&line) {
                Ok(row) => {
                    each(rows.row(&Value::Object(row)));
                    None
                }
                Err(e) => Some(format!("line {number}: expected a JSON object: {e}")),
            },
        };
    }
    Ok(())
}

/// A row's epoch or step.
fn count(row: &Row, key: &str) -> u64 {
    row.get(key).and_then(Field::as_u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(config: &str) -> Run {
        Run { config: toml::from_str(config).unwrap(), ..Run::default() }
    }

    #[test]
    fn labels_are_what_differs() {
        let mut runs = [
            run("[run]\nseed = 0\n[noise]\nkind = 'none'\n[optimizer]\nlr = 0.1"),
            run("[run]\nseed = 1\n[noise]\nkind = 'label-flip'\nprobability = 0.2\n[optimizer]\nlr = 0.1"),
        ];
        label_by_differences(&mut runs);
        assert_eq!(runs[0].group(), "noise none");
        assert_eq!(runs[1].group(), "label-flip");
        let other = run("[run]\nseed = 1\n[noise]\nkind = 'label-flip'\nprobability = 0.4\n[optimizer]\nlr = 100.0");
        let mut runs = [runs[0].clone(), runs[1].clone(), other];
        label_by_differences(&mut runs);
        assert_eq!(runs[0].group(), "noise none, lr 0.1");
        assert_eq!(runs[2].group(), "label-flip, probability 0.4, lr 100");
        assert_eq!(runs[2].labels["noise.probability"], "0.4");
        label_by_differences(&mut runs[..1]);
        assert_eq!(runs[0].group(), "all runs");
    }

    /// Of a list of noises the kinds together are the label, and the keys of each follow from them.
    #[test]
    fn labels_of_several_noises() {
        let both = |sigma: &str| {
            run(&format!(
                "[run]\nseed = 0\n[[noise]]\nkind = 'label-flip'\nprobability = 0.2\n[noise.schedule]\nkind = 'constant'\n\
                 [[noise]]\nkind = 'logit-gaussian'\nsigma = {sigma}"
            ))
        };
        let flips =
            "[run]\nseed = 0\n[noise]\nkind = 'label-flip'\nprobability = 0.2\n[noise.schedule]\nkind = 'constant'";
        let mut runs = [run("[run]\nseed = 0\n[noise]\nkind = 'none'"), run(flips), both("0.1")];
        label_by_differences(&mut runs);
        assert_eq!(runs.each_ref().map(Run::group), ["noise none", "label-flip", "label-flip + logit-gaussian"]);
        let mut runs = [both("0.1"), both("0.3")];
        label_by_differences(&mut runs);
        assert_eq!(runs.each_ref().map(Run::group), ["sigma 0.1", "sigma 0.3"]);
        assert_eq!(runs[0].labels["noise.logit-gaussian.sigma"], "0.1");
    }

    #[test]
    fn values_of_rows() {
        let row: Row = serde_json::from_str(
            r#"{"kind":"measurement","epoch":2,"metrics":{"loss":{"value":0.5,"std_error":0.1},"mu":{"value":null,
            "reason":"zero loss"},"top_eigenvalues":[{"value":7.0},{"value":3.0}],"regularizer_momentum_0.9":{"value":2.0},
            "feature_norms":[0.5,1.5],"trace_hessian_by_tensor":{"layers.0.bias":{"value":4.0}}}}"#,
        )
        .unwrap();
        assert_eq!((value(&row, "loss"), std_error(&row, "loss")), (Some(0.5), Some(0.1)));
        assert_eq!((value(&row, "mu"), value(&row, "nothing")), (None, None));
        assert_eq!((value(&row, "top_eigenvalues"), value(&row, "epoch")), (Some(7.0), Some(2.0)));
        assert_eq!(value(&row, "feature_norms"), None);
        assert_eq!(numbers(&row, "feature_norms"), [0.5, 1.5]);
        assert_eq!(value(&row, "regularizer_momentum_0.9"), Some(2.0));
        assert_eq!(value(&row, "trace_hessian_by_tensor.layers.0.bias"), Some(4.0));
    }

    #[test]
    fn the_edge_is_that_of_the_rate_at_the_time() {
        let mut run = run("[optimizer]\nlr = 0.5\nmomentum = 0.5");
        let row = |text: &str| serde_json::from_str::<Row>(text).unwrap();
        assert_eq!(run.value(&row(r#"{"epoch":3}"#), "stability_edge"), Some(6.0));
        run.epochs = vec![row(r#"{"epoch":3,"lr":0.25}"#)];
        assert_eq!(run.value(&row(r#"{"epoch":3}"#), "stability_edge"), Some(12.0));
    }

    #[test]
    fn only_the_last_line_may_be_torn() {
        let rows = |text: &str| {
            let mut found = Vec::new();
            rows(text.as_bytes(), &mut |row| found.push(row)).map(|()| found)
        };
        let whole = "{\"kind\":\"epoch\",\"step\":1}\n";
        assert_eq!(rows(&format!("{whole}{{\"ki")).unwrap().len(), 1);
        assert_eq!(rows(&format!("{whole}\n{whole}{whole}")).unwrap().len(), 3);
        assert!(rows(&format!("{{\"ki\n{whole}")).unwrap_err().starts_with("line 1"));
        assert!(rows(&format!("{whole}{{\"ki\n\n")).unwrap_err().starts_with("line 2"));
    }

    /// Of several rows of one epoch, and of several measurements at one step, the last counts.
    #[test]
    fn the_last_row_counts() {
        let folder = tempfile::tempdir().unwrap();
        // An epoch that an end cut short at step 7, and that a longer run completed.
        let rows = "{\"kind\":\"epoch\",\"epoch\":2,\"step\":6}\n{\"kind\":\"epoch\",\"epoch\":3,\"step\":7}\n\
                    {\"kind\":\"measurement\",\"epoch\":3,\"step\":7}\n{\"kind\":\"other\"}\n\
                    {\"kind\":\"epoch\",\"epoch\":3,\"step\":9}\n{\"kind\":\"measurement\",\"step\":7,\"again\":1}\n";
        for (name, text) in [
            ("config.toml", "[run]\nname = \"a\"\n"),
            ("env.json", "{}"),
            ("status.json", "{\"status\":\"running\"}"),
            ("metrics.jsonl", rows),
        ] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let run = Run::read(folder.path()).unwrap();
        assert_eq!(run.epochs.iter().map(|row| value(row, "step")).collect::<Vec<_>>(), [Some(6.0), Some(9.0)]);
        assert_eq!(run.measurements.iter().map(|row| value(row, "again")).collect::<Vec<_>>(), [Some(1.0)]);
    }
}
