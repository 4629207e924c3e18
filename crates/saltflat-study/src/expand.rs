//! From a file to its runs.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use saltflat_config::nearest;
use saltflat_record::is_control;
use saltflat_train::{
    config::{BestBy, Config},
    start_sha256,
};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::{
    StudyError, StudyFile,
    file::{Axis, Combine, Scale, Stage, StageScale, Start},
    settings::apply,
};

/// Axis of the starts, where there are several.
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
    /// The weights that it starts from where they are not of this study, as the study writes their path: a file or the folder of a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// What that run's last measurement must have reached, by the names of the metrics.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub require: BTreeMap<String, f64>,
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
    /// SHA-256 of the weights at each path that was named as a start, or that there are none.
    starts: BTreeMap<String, Option<String>>,
}

/// Why a run cannot be made, and its name where its configuration is to blame.
struct Misfit {
    run: Option<String>,
    problem: String,
}

impl From<String> for Misfit {
    fn from(problem: String) -> Self {
        Self { run: None, problem }
    }
}

/// Different problems of the runs of a stage that are listed at most.
const MOST_MISFITS: usize = 20;

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
        let (study, problems) = Self::expanded(source, file, scale);
        if problems.is_empty() { Ok(study) } else { Err(StudyError::Problems { file: file.into(), problems }) }
    }

    /// As [`new`](Self::new), as far as the study can be expanded, with everything that is wrong: the runs of a stage with a problem, and of
    /// those that start from it, may be missing.
    pub fn expanded(source: StudyFile, file: &Path, scale: Option<&str>) -> (Self, Vec<String>) {
        let scale = scale.filter(|name| *name != "paper" || source.scale.contains_key("paper"));
        let scale = scale.map(Into::into);
        let mut study = Self {
            file: file.into(),
            source,
            scale,
            entries: Vec::new(),
            configs: Vec::new(),
            settings: Vec::new(),
            starts: BTreeMap::new(),
        };
        let mut problems = Vec::new();
        study.expand(&mut problems);
        (study, problems)
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
        let scales = source.scale.keys().map(|name| (format!("scale.{name:?}"), name));
        for (key, name) in std::iter::once(("study.name".to_string(), name)).chain(scales) {
            if name.is_empty() || name.contains(|c: char| "/\\".contains(c) || is_control(c)) || name.starts_with('.') {
                problems.push(format!("{key}: expected a name without slashes and control characters, got {name:?}"));
            }
        }
        if let Some(loss) = source.measure.loss.as_ref().filter(|loss| !loss.is_table() && !source.measure.is_own()) {
            let expected = "a table of kind and smoothing, or \"own\" for the loss of each run";
            problems.push(format!("measure.loss: expected {expected}, got {loss}"));
        }
        let scale = match &self.scale {
            None => Scale::default(),
            Some(name) => match source.scale.get(name) {
                Some(scale) => scale.clone(),
                None => {
                    let known: Vec<_> = ["paper"].into_iter().chain(source.scale.keys().map(String::as_str)).collect();
                    problems.push(format!("--scale: expected one of {}, got {name}", known.join(", ")));
                    return;
                }
            },
        };
        for stage in scale.stage.keys().filter(|name| !source.stages.iter().any(|stage| stage.name == **name)) {
            problems.push(format!("scale.stage.{stage}: there is no such stage"));
        }
        if source.stages.is_empty() {
            problems.push("stage: expected at least one [[stage]]".into());
        }
        let mut seen = BTreeSet::new();
        // Stages that lack runs, so that nothing can be said of those that start from them.
        let mut broken: BTreeSet<&str> = BTreeSet::new();
        for (i, stage) in source.stages.iter().enumerate() {
            let before = problems.len();
            let plain =
                !stage.name.is_empty() && stage.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
            if !plain || is_reserved(&stage.name) {
                problems.push(format!(
                    "stage.name: expected a word of letters, digits, - and _ (not {}), got {:?}",
                    RESERVED.join(", "),
                    stage.name
                ));
            }
            for from in stage.from.iter().filter_map(Start::stage).filter(|from| !seen.contains(*from)) {
                problems.push(format!(
                    "stage.{}.from: expected an earlier stage, or the path of weights with / or . in it, got {from}",
                    stage.name
                ));
            }
            if !seen.insert(stage.name.clone()) {
                problems.push(format!("stage.{}: there are two stages of this name", stage.name));
            } else if let Some(other) =
                source.stages[..i].iter().find(|other| other.name.eq_ignore_ascii_case(&stage.name))
            {
                let one = "their folders are one where a file system makes no difference between them";
                problems.push(format!(
                    "stage.{}: differs from stage {} in capital letters alone; {one}",
                    stage.name, other.name
                ));
            }
            let of_stage = scale.stage.get(&stage.name).cloned().unwrap_or_default();
            check_require(stage, of_stage.require.as_ref().unwrap_or(&stage.require), problems);
            let starts_are_known = !stage.from.iter().filter_map(Start::stage).any(|from| broken.contains(from));
            let is_whole = problems.len() == before || is_of_require(&problems[before..], &stage.name);
            if !(is_whole && starts_are_known && self.expand_stage(stage, &scale, &of_stage, problems)) {
                broken.insert(&stage.name);
            }
        }
    }

    /// The runs of a stage; true where none is missing.
    fn expand_stage(
        &mut self,
        stage: &Stage,
        scale: &Scale,
        of_stage: &StageScale,
        problems: &mut Vec<String>,
    ) -> bool {
        let before = problems.len();
        let at = format!("stage.{}", stage.name);
        let mut axes = Vec::new();
        match starts(&stage.from) {
            Ok(starts) => axes.extend(starts),
            Err(problem) => problems.push(format!("{at}.from: {problem}")),
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
        if problems.len() > before {
            return false;
        }
        let zipped = axes.split_off(starts);
        let (zip, first) = (stage.combine == Combine::Zip, zipped.first().map_or(1, Vec::len));
        if let Some(other) = zipped.iter().find(|other| zip && other.len() != first) {
            problems.push(format!(
                "{at}.axis.{}: expected {first} values, as the first axis has (combine = \"zip\"), got {}",
                other[0].axis,
                other.len()
            ));
            return false;
        }
        let seeds = of_stage.seeds.as_ref().unwrap_or(&stage.seeds);
        if seeds.is_empty() {
            problems.push(format!("{at}.seeds: expected at least one"));
        }
        let mut once = BTreeSet::new();
        if let Some(twice) = seeds.iter().find(|seed| !once.insert(**seed)) {
            problems.push(format!("{at}.seeds: {twice} is there twice"));
            return false;
        }
        // Counted before they are made.
        let together = if zip { &zipped[..zipped.len().min(1)] } else { &zipped };
        let of_this = axes.iter().chain(together).fold(seeds.len() as f64, |runs, axis| runs * axis.len() as f64);
        let runs = self.entries.len() as f64 + of_this;
        if runs > MOST_RUNS as f64 {
            problems.push(format!("{at}: expected at most {MOST_RUNS} runs in a study, got {runs} up to this stage"));
            return false;
        }
        let zipped = match zip {
            true => (0..first).map(|i| zipped.iter().map(|axis| axis[i].clone()).collect()).collect(),
            false => product(zipped),
        };
        // What several runs have in common is said once.
        let mut of_runs: Vec<(String, Option<String>, usize)> = Vec::new();
        'all: for start in product(axes) {
            for points in &zipped {
                let points: Vec<Point> = start.iter().chain(points).cloned().collect();
                for &seed in seeds {
                    let Err(Misfit { run, problem }) = self.push(stage, scale, of_stage, &points, seed) else {
                        continue;
                    };
                    match of_runs.iter().position(|(known, ..)| *known == problem) {
                        Some(known) => of_runs[known].2 += 1,
                        None if of_runs.len() == MOST_MISFITS => break 'all,
                        None => of_runs.push((problem, run, 0)),
                    }
                }
            }
        }
        problems.extend(of_runs.into_iter().map(|(problem, run, others)| match (run, others) {
            (None, _) => format!("{at}: {problem}"),
            (Some(run), 0) => format!("{at}: {run}: {problem}"),
            (Some(run), 1) => format!("{at}: {run} and another run: {problem}"),
            (Some(run), others) => format!("{at}: {run} and {others} other runs: {problem}"),
        }));
        problems.len() == before
    }

    fn push(
        &mut self,
        stage: &Stage,
        scale: &Scale,
        of_stage: &StageScale,
        points: &[Point],
        seed: u64,
    ) -> Result<(), Misfit> {
        let labels: BTreeMap<String, String> =
            points.iter().map(|point| (point.axis.clone(), point.label.clone())).collect();
        let slugs: Vec<String> = points.iter().map(slug).chain([format!("s{seed}")]).collect();
        let name = format!("{}/{}", stage.name, slugs.join("_"));
        let from = match stage.from.as_slice() {
            [] | [_] => stage.from.first(),
            many => many.iter().find(|start| labels.get(START).is_some_and(|label| label == start.label())),
        };
        let parent = match from.and_then(Start::stage) {
            Some(from) => self.parent(from, &labels, seed)?,
            None => None,
        };
        let mut table = self.source.base.clone();
        for settings in [&stage.set, &scale.base, &of_stage.set].into_iter().chain(points.iter().map(|p| &p.set)) {
            apply(&mut table, settings)?;
        }
        if let Some(loss @ Value::Table(_)) = &self.source.measure.loss {
            apply(&mut table, &Table::from_iter([("metrics.loss".into(), loss.clone())]))?;
        }
        let mut identity = Table::new();
        identity.insert("run.name".into(), Value::String(name.replace('/', "-")));
        identity.insert("run.seed".into(), Value::Integer(seed as i64));
        apply(&mut table, &identity)?;
        let has_init = table.get("train").and_then(|train| train.get("init")).is_some();
        if let (Some(start), true) = (from, has_init) {
            let text = "train.init: expected nothing, since the stage has from";
            return Err(format!("{text} = \"{}\"", start.label()).into());
        }
        if let Some(weights) = from.and_then(Start::weights) {
            apply(&mut table, &Table::from_iter([("train.init".into(), Value::String(weights.into()))]))?;
        }
        let start = match parent {
            Some(_) => None,
            None => self.pin_start(&mut table),
        };
        let text = toml::to_string(&table).map_err(|e| e.to_string())?;
        let config = Config::read(&text, &self.file, &[]).map_err(|e| {
            let text = e.to_string();
            let prefix = format!("{}: ", self.file.display());
            Misfit { run: Some(name.clone()), problem: text.strip_prefix(&prefix).unwrap_or(&text).into() }
        })?;
        let mut config: Table =
            config.to_toml().map_err(|e| e.to_string())?.parse().map_err(|e: toml::de::Error| e.to_string())?;
        if let (Some(parent), Some(Value::Table(train))) = (parent, config.get_mut("train")) {
            train.remove("init_sha256");
            train.insert("init".into(), Value::String(format!("../../{}", self.entries[parent].name)));
        }
        self.configs.push(toml::to_string(&config).map_err(|e| e.to_string())?);
        self.settings.push(text);
        let index = self.entries.len();
        // What it requires is about the runs of earlier stages.
        let require = of_stage.require.as_ref().unwrap_or(&stage.require).clone();
        let require = if parent.is_some() { require } else { BTreeMap::new() };
        self.entries.push(Entry { index, name, stage: stage.name.clone(), labels, seed, parent, start, require });
        Ok(())
    }

    /// The path of the weights that a configuration starts from, if it names one. Beside it is written the SHA-256 of what is there
    /// now, so that the run, and the study's fingerprint, are about these weights. Where there are none the check before the first
    /// run says so.
    fn pin_start(&mut self, config: &mut Table) -> Option<String> {
        let train = config.get_mut("train")?.as_table_mut()?;
        let written = train.get("init")?.as_str()?.to_string();
        let path = self.file.parent().unwrap_or(Path::new("")).join(&written);
        let known = self.starts.entry(written.clone()).or_insert_with(|| start_sha256(&path).ok());
        if let (Some(sha256), false) = (known, train.contains_key("init_sha256")) {
            train.insert("init_sha256".into(), Value::String(sha256.clone()));
        }
        Some(written)
    }

    /// The run of the earlier stage that this one starts from: one whose labels agree where they have an axis in common, with
    /// the same seed, or the only one.
    fn parent(&self, from: &str, labels: &BTreeMap<String, String>, seed: u64) -> Result<Option<usize>, String> {
        let agrees = |entry: &&Entry| {
            entry.stage == from
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

/// What of a label is in the name of a folder.
const FOLDER_NAMES: &str = "of a label, the name of a folder has ASCII letters, digits, dots, - and + alone, without a difference between \
                            capital and small letters; change one of the two";

/// True for the name of a folder of the study's own.
pub(crate) fn is_reserved(name: &str) -> bool {
    RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(name))
}

/// True where nothing is wrong with a stage but what it requires of its starts, which keeps no run from being made.
fn is_of_require(problems: &[String], stage: &str) -> bool {
    problems.iter().all(|problem| problem.starts_with(&format!("stage.{stage}.require")))
}

/// What a stage requires of its starts is a bound on a metric that has a better and a worse.
fn check_require(stage: &Stage, require: &BTreeMap<String, f64>, problems: &mut Vec<String>) {
    let at = format!("stage.{}.require", stage.name);
    if !require.is_empty() && !stage.from.iter().any(|start| start.stage().is_some()) {
        problems.push(format!("{at}: expected a stage in stage.{}.from, whose runs it is about", stage.name));
    }
    let known = BestBy::ALL.map(|(name, _)| name);
    for (name, value) in require {
        if !known.contains(&name.as_str()) {
            let hint = nearest(name, &known).map_or(String::new(), |name| format!("; did you mean {name}?"));
            problems.push(format!("{at}.{name}: expected one of {}{hint}", known.join(", ")));
        } else if name.ends_with("accuracy") && !(*value > 0.0 && *value <= 1.0) {
            problems.push(format!("{at}.{name}: expected a number in (0, 1], the part of the samples, got {value}"));
        } else if !value.is_finite() {
            problems.push(format!("{at}.{name}: expected a number, got {value}"));
        }
    }
}

/// The axis of several starts; none where there is at most one.
fn starts(from: &[Start]) -> Result<Option<Vec<Point>>, String> {
    if from.len() < 2 {
        return Ok(None);
    }
    let point = |start: &Start| Point { axis: START.into(), label: start.label().into(), set: Table::new() };
    let points: Vec<Point> = from.iter().map(point).collect();
    check_points(false, &points)?;
    Ok(Some(points))
}

/// Values of an axis of which two would be the same run.
fn check_points(of_key: bool, points: &[Point]) -> Result<(), String> {
    let (mut labels, mut values, mut slugs) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
    for (i, point) in points.iter().enumerate() {
        let label = &point.label;
        if label.contains(is_control) {
            return Err(format!("value {}: expected a label without control characters, got {label:?}", i + 1));
        }
        if let Some(j) = labels.insert(label, i) {
            let same = if of_key { "the same" } else { "of the same label" };
            return Err(format!("values {} and {} are {same}, {label}; leave one of them out", j + 1, i + 1));
        }
        if let (true, Ok(value)) = (of_key, label.parse::<f64>()) {
            values.push((value, i));
        }
        if let Some(j) = slugs.insert(slug(point).to_ascii_lowercase(), i) {
            let (one, other) = (&points[j].label, label);
            let (j, i) = (j + 1, i + 1);
            return Err(format!(
                "values {j} and {i}, {one:?} and {other:?}, would have the same folders: {FOLDER_NAMES}"
            ));
        }
    }
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    match values.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some([(_, i), (_, j)]) => {
            let (i, j) = (*i.min(j), *i.max(j));
            let (one, other) = (&points[i].label, &points[j].label);
            Err(format!("values {} and {} are the same, {one} and {other}; leave one of them out", i + 1, j + 1))
        }
        _ => Ok(()),
    }
}

/// The values of an axis, or those that a scale puts in their place.
fn points(axis: &Axis, instead: Option<&Vec<Value>>) -> Result<Vec<Point>, String> {
    if axis.name.contains(is_control) {
        return Err(format!("expected a name without control characters, got {:?}", axis.name));
    }
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
    let points: Vec<Point> = values
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
        .collect::<Result<_, _>>()?;
    check_points(axis.key.is_some(), &points)?;
    Ok(points)
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
