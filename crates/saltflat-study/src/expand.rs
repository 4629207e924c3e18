//! From a file to its runs.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use saltflat_train::config::Config;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::{
    StudyError, StudyFile,
    file::{Axis, Combine, Scale, Stage, StageScale},
    settings::apply,
};

/// Axis that the name of the earlier stage becomes where there are several.
const START: &str = "start";

/// Folders of the study's own.
pub(crate) const RESERVED: [&str; 4] = ["configs", "figures", "logs", "slurm"];

/// Runs that a study may have. A file of a few lines can ask for any number of them.
pub(crate) const MOST_RUNS: usize = 10_000;

/// A run of a study.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number, from 0; a run that it starts from has a smaller one.
    pub index: usize,
    /// Its folder within the study's: `STAGE/LABELS-sSEED`.
    pub name: String,
    /// Its stage.
    pub stage: String,
    /// What it is among the others: a label an axis.
    pub labels: BTreeMap<String, String>,
    /// Its seed.
    pub seed: u64,
    /// The run whose final weights it starts from.
    pub parent: Option<usize>,
}

/// The runs of a study at a scale.
#[derive(Clone, Debug)]
pub struct Study {
    /// Where it was read from.
    pub file: PathBuf,
    /// As written.
    pub source: StudyFile,
    /// The scale; absent: as the file says without one.
    pub scale: Option<String>,
    /// In an order in which they can be run.
    pub entries: Vec<Entry>,
    /// The configuration of each.
    pub configs: Vec<String>,
    /// What the study says of each: its configuration before defaults are filled in.
    pub settings: Vec<String>,
}

/// One value of an axis.
#[derive(Clone)]
struct Point {
    axis: String,
    label: String,
    set: Table,
}

impl Study {
    /// Expands a study at a scale (`paper` or nothing: as the file says).
    ///
    /// # Errors
    /// [`StudyError::Problems`] with everything that is wrong, also in the runs' configurations.
    pub fn new(source: StudyFile, file: &Path, scale: Option<&str>) -> Result<Self, StudyError> {
        let scale = scale.filter(|name| *name != "paper" || source.scale.contains_key("paper"));
        let mut study = Self {
            file: file.into(),
            source,
            scale: scale.map(Into::into),
            entries: Vec::new(),
            configs: Vec::new(),
            settings: Vec::new(),
        };
        let mut problems = Vec::new();
        study.expand(&mut problems);
        if problems.is_empty() { Ok(study) } else { Err(StudyError::Problems { file: file.into(), problems }) }
    }

    /// Name of the folder: that of the study, with the scale behind it where there is one.
    pub fn name(&self) -> String {
        match &self.scale {
            Some(scale) => format!("{}-{scale}", self.source.study.name),
            None => self.source.study.name.clone(),
        }
    }

    fn expand(&mut self, problems: &mut Vec<String>) {
        let source = self.source.clone();
        let name = &source.study.name;
        if name.is_empty() || name.contains(['/', '\\']) || name.starts_with('.') {
            problems.push(format!("study.name: expected a name without slashes, got {name:?}"));
        }
        let scale = match &self.scale {
            None => Scale::default(),
            Some(name) => source.scale.get(name).cloned().unwrap_or_else(|| {
                let known: Vec<_> = ["paper"].into_iter().chain(source.scale.keys().map(String::as_str)).collect();
                problems.push(format!("--scale: expected one of {}, got {name}", known.join(", ")));
                Scale::default()
            }),
        };
        for stage in scale.stage.keys().filter(|name| !source.stages.iter().any(|stage| stage.name == **name)) {
            problems.push(format!("scale.stage.{stage}: there is no such stage"));
        }
        if source.stages.is_empty() {
            problems.push("stage: expected at least one [[stage]]".into());
        }
        let mut seen = BTreeSet::new();
        for stage in &source.stages {
            let plain =
                !stage.name.is_empty() && stage.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
            if !plain || RESERVED.contains(&stage.name.as_str()) {
                problems.push(format!(
                    "stage.name: expected a word of letters, digits, - and _ (not {}), got {:?}",
                    RESERVED.join(", "),
                    stage.name
                ));
            }
            for from in stage.from.names().iter().filter(|from| !seen.contains(*from)) {
                problems.push(format!("stage.{}.from: expected an earlier stage, got {from}", stage.name));
            }
            if !seen.insert(stage.name.clone()) {
                problems.push(format!("stage.{}: there are two stages of this name", stage.name));
            }
            if problems.is_empty() {
                let of_stage = scale.stage.get(&stage.name).cloned().unwrap_or_default();
                self.expand_stage(stage, &scale, &of_stage, problems);
            }
        }
    }

    fn expand_stage(&mut self, stage: &Stage, scale: &Scale, of_stage: &StageScale, problems: &mut Vec<String>) {
        let at = format!("stage.{}", stage.name);
        let mut axes = Vec::new();
        match stage.from.names() {
            [] | [_] => {}
            many => axes.push(
                many.iter().map(|name| Point { axis: START.into(), label: name.clone(), set: Table::new() }).collect(),
            ),
        }
        let starts = axes.len();
        for axis in &stage.axes {
            match points(axis, of_stage.axis.get(&axis.name)) {
                Ok(points) => axes.push(points),
                Err(problem) => problems.push(format!("{at}.axis.{}: {problem}", axis.name)),
            }
        }
        for name in of_stage.axis.keys().filter(|name| !stage.axes.iter().any(|axis| axis.name == **name)) {
            problems.push(format!("scale.{at}.axis.{name}: the stage has no such axis"));
        }
        let zipped = axes.split_off(starts);
        let (zip, first) = (stage.combine == Combine::Zip, zipped.first().map_or(1, Vec::len));
        if let Some(other) = zipped.iter().find(|other| zip && other.len() != first) {
            problems.push(format!(
                "{at}.axis.{}: expected {first} values, as the first axis has (combine = \"zip\"), got {}",
                other[0].axis,
                other.len()
            ));
            return;
        }
        let seeds = of_stage.seeds.as_ref().unwrap_or(&stage.seeds);
        if seeds.is_empty() {
            problems.push(format!("{at}.seeds: expected at least one"));
        }
        // Counted before they are made.
        let together = if zip { &zipped[..zipped.len().min(1)] } else { &zipped };
        let of_this = axes.iter().chain(together).fold(seeds.len() as f64, |runs, axis| runs * axis.len() as f64);
        let runs = self.entries.len() as f64 + of_this;
        if runs > MOST_RUNS as f64 {
            problems.push(format!("{at}: expected at most {MOST_RUNS} runs in a study, got {runs} up to this stage"));
            return;
        }
        let zipped = match zip {
            true => (0..first).map(|i| zipped.iter().map(|axis| axis[i].clone()).collect()).collect(),
            false => product(zipped),
        };
        for start in product(axes) {
            for points in &zipped {
                let points: Vec<Point> = start.iter().chain(points).cloned().collect();
                for &seed in seeds {
                    if let Err(problem) = self.push(stage, scale, of_stage, &points, seed) {
                        problems.push(format!("{at}: {problem}"));
                        if problems.len() >= 20 {
                            return;
                        }
                    }
                }
            }
        }
    }

    fn push(
        &mut self,
        stage: &Stage,
        scale: &Scale,
        of_stage: &StageScale,
        points: &[Point],
        seed: u64,
    ) -> Result<(), String> {
        let labels: BTreeMap<String, String> =
            points.iter().map(|point| (point.axis.clone(), point.label.clone())).collect();
        let slugs: Vec<String> = points.iter().map(slug).chain([format!("s{seed}")]).collect();
        let name = format!("{}/{}", stage.name, slugs.join("_"));
        if self.entries.iter().any(|entry| entry.name == name) {
            return Err(format!("there are two runs {name}"));
        }
        let parent = self.parent(stage, &labels, seed)?;
        let mut table = self.source.base.clone();
        for settings in [&stage.set, &scale.base, &of_stage.set].into_iter().chain(points.iter().map(|p| &p.set)) {
            apply(&mut table, settings)?;
        }
        let mut identity = Table::new();
        identity.insert("run.name".into(), Value::String(name.replace('/', "-")));
        identity.insert("run.seed".into(), Value::Integer(seed as i64));
        apply(&mut table, &identity)?;
        let text = toml::to_string(&table).map_err(|e| e.to_string())?;
        let config = Config::read(&text, &self.file, &[]).map_err(|e| {
            let text = e.to_string();
            let prefix = format!("{}: ", self.file.display());
            format!("{name}: {}", text.strip_prefix(&prefix).unwrap_or(&text))
        })?;
        let mut config: Table =
            config.to_toml().map_err(|e| e.to_string())?.parse().map_err(|e: toml::de::Error| e.to_string())?;
        if let (Some(parent), Some(Value::Table(train))) = (parent, config.get_mut("train")) {
            train.insert("init".into(), Value::String(format!("../{}", self.entries[parent].name)));
        }
        self.configs.push(toml::to_string(&config).map_err(|e| e.to_string())?);
        self.settings.push(text);
        let (index, stage) = (self.entries.len(), stage.name.clone());
        self.entries.push(Entry { index, name, stage, labels, seed, parent });
        Ok(())
    }

    /// The run of the earlier stage that this one starts from: one whose labels agree where they have an axis in common, with
    /// the same seed, or the only one.
    fn parent(&self, stage: &Stage, labels: &BTreeMap<String, String>, seed: u64) -> Result<Option<usize>, String> {
        let from = match stage.from.names() {
            [] => return Ok(None),
            [one] => one,
            _ => &labels[START],
        };
        let agrees = |entry: &&Entry| {
            entry.stage == *from
                && entry.labels.iter().all(|(axis, label)| labels.get(axis).is_none_or(|other| other == label))
        };
        let candidates: Vec<&Entry> = self.entries.iter().filter(agrees).collect();
        let same_seed: Vec<&Entry> = candidates.iter().copied().filter(|entry| entry.seed == seed).collect();
        match (candidates.as_slice(), same_seed.as_slice()) {
            (_, [one]) | ([one], _) => Ok(Some(one.index)),
            ([], _) => Err(format!("no run of stage {from} has these labels")),
            _ => Err(format!(
                "{} runs of stage {from} could be the start of seed {seed}; expected one with that seed, or only one",
                candidates.len()
            )),
        }
    }
}

/// The values of an axis, or those that a scale puts in their place.
fn points(axis: &Axis, instead: Option<&Vec<Value>>) -> Result<Vec<Point>, String> {
    let values = match (&axis.key, instead) {
        (Some(_), Some(values)) => values.clone(),
        (None, Some(labels)) => {
            let named = |label: &Value| {
                if label.is_table() {
                    return Ok(label.clone());
                }
                let found = axis.values.iter().find(|value| value.get("label") == Some(label)).cloned();
                found.ok_or_else(|| format!("no value has the label {label}"))
            };
            labels.iter().map(named).collect::<Result<_, _>>()?
        }
        (_, None) => axis.values.clone(),
    };
    if values.is_empty() {
        return Err("expected at least one value".into());
    }
    values
        .into_iter()
        .map(|value| match (&axis.key, value) {
            (Some(key), value) => {
                let label = match &value {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                Ok(Point { axis: axis.name.clone(), label, set: Table::from_iter([(key.clone(), value)]) })
            }
            (None, Value::Table(mut table)) => {
                let label = match table.remove("label") {
                    Some(Value::String(label)) if !label.is_empty() => label,
                    _ => return Err("expected values { label = \"…\", set = { … } }, or a key".into()),
                };
                let set = match table.remove("set") {
                    Some(Value::Table(set)) => set,
                    None => Table::new(),
                    Some(other) => return Err(format!("{label}: set: expected a table, got {other}")),
                };
                match table.keys().next() {
                    Some(key) => Err(format!("{label}: expected label and set, got {key}")),
                    None => Ok(Point { axis: axis.name.clone(), label, set }),
                }
            }
            (None, other) => Err(format!("expected values {{ label = \"…\", set = {{ … }} }}, or a key, got {other}")),
        })
        .collect()
}

/// Every value of an axis with every value of the others; the last axis runs fastest.
fn product(axes: Vec<Vec<Point>>) -> Vec<Vec<Point>> {
    axes.into_iter().fold(vec![Vec::new()], |all, axis| {
        all.iter()
            .flat_map(|before| axis.iter().map(|point| [before.as_slice(), std::slice::from_ref(point)].concat()))
            .collect()
    })
}

/// A label as part of a folder's name; numbers with the axis before them.
fn slug(point: &Point) -> String {
    let plain = |text: &str| {
        let text: String =
            text.chars().map(|c| if c.is_ascii_alphanumeric() || ".-+".contains(c) { c } else { '-' }).collect();
        text.trim_matches(['-', '.']).to_ascii_lowercase()
    };
    match point.label.parse::<f64>() {
        Ok(_) => format!("{}-{}", plain(&point.axis), plain(&point.label)),
        Err(_) => plain(&point.label),
    }
}
