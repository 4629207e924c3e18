//! From the settings of a study to the configuration of each run.

use std::{collections::BTreeMap, path::Path};

use saltflat_config::Problem;
use saltflat_record::Entry;
use saltflat_train::{config::Config, start_sha256};
use toml::{Table, Value};

use crate::{
    axis::{AxisValue, START},
    file::{StudyFile, apply},
    stage::{ScaleOverrides, Stage, StageOverrides, Start},
};

/// Runs in an order in which they can be run.
#[derive(Default)]
pub(crate) struct Runs {
    pub entries: Vec<Entry>,
    /// The configuration of each.
    pub configs: Vec<String>,
    /// What the study says of each: its configuration before defaults are filled in.
    pub settings: Vec<String>,
}

/// Why a run cannot be made, and its name if its configuration is to blame.
pub(crate) struct Refusal {
    pub run: Option<String>,
    pub problem: String,
}

impl From<String> for Refusal {
    fn from(problem: String) -> Self {
        Self { run: None, problem }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        problem.to_string().into()
    }
}

/// Makes one run after another.
pub(crate) struct RunBuilder<'a> {
    source: &'a StudyFile,
    file: &'a Path,
    scale: &'a ScaleOverrides,
    /// SHA-256 of the weights at each path that was named as a start, or that there are none.
    starts: BTreeMap<String, Option<String>>,
    pub runs: Runs,
}

impl<'a> RunBuilder<'a> {
    pub fn new(source: &'a StudyFile, file: &'a Path, scale: &'a ScaleOverrides) -> Self {
        Self { source, file, scale, starts: BTreeMap::new(), runs: Runs::default() }
    }

    /// The run of a stage at these values of its axes.
    pub fn push(
        &mut self,
        stage: &Stage,
        overrides: &StageOverrides,
        values: &[AxisValue],
        seed: u64,
    ) -> Result<(), Refusal> {
        let labels: BTreeMap<String, String> =
            values.iter().map(|value| (value.axis.clone(), value.label.clone())).collect();
        let slugs: Vec<String> = values.iter().map(AxisValue::slug).chain([format!("s{seed}")]).collect();
        let name = format!("{}/{}", stage.name, slugs.join("_"));
        let from = match stage.from.as_slice() {
            [] | [_] => stage.from.first(),
            many => many.iter().find(|start| labels.get(START).is_some_and(|label| *label == start.label)),
        };
        let parent = match from.and_then(Start::stage) {
            Some(from) => self.parent(from, &labels, seed)?,
            None => None,
        };
        let mut table = self.source.base.clone();
        for settings in
            [&stage.set, &self.scale.base, &overrides.set].into_iter().chain(values.iter().map(|value| &value.set))
        {
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
            return Err(format!("{text} = \"{}\"", start.label).into());
        }
        if let Some(weights) = from.and_then(|start| start.weights.as_ref()) {
            apply(&mut table, &Table::from_iter([("train.init".into(), Value::String(weights.clone()))]))?;
        }
        let start = match parent {
            Some(_) => None,
            None => self.pin_start(&mut table),
        };
        let text = toml::to_string(&table).map_err(|e| e.to_string())?;
        let config =
            Config::read(&text, self.file, &[]).map_err(|e| Refusal { run: Some(name.clone()), problem: e.text() })?;
        let mut config: Table =
            config.to_toml().map_err(|e| e.to_string())?.parse().map_err(|e: toml::de::Error| e.to_string())?;
        if let (Some(parent), Some(Value::Table(train))) = (parent, config.get_mut("train")) {
            train.remove("init_sha256");
            train.insert("init".into(), Value::String(format!("../../{}", self.runs.entries[parent].name)));
        }
        self.runs.configs.push(toml::to_string(&config).map_err(|e| e.to_string())?);
        self.runs.settings.push(text);
        let index = self.runs.entries.len();
        // What it requires is about the runs of earlier stages.
        let require = overrides.require.as_ref().unwrap_or(&stage.require).clone();
        let require = if parent.is_some() { require } else { BTreeMap::new() };
        self.runs.entries.push(Entry { index, name, stage: stage.name.clone(), labels, seed, parent, start, require });
        Ok(())
    }

    /// The path of the weights that a configuration starts from, if it names one. Beside it is written the SHA-256 of what is there
    /// now, so that the run, and the study's fingerprint, are about these weights. If there are none, the check before the
    /// first run says so.
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

    /// The run of the earlier stage that this one starts from: one whose labels agree on the axes that both have, with
    /// the same seed, or the only one.
    fn parent(&self, from: &str, labels: &BTreeMap<String, String>, seed: u64) -> Result<Option<usize>, String> {
        let agrees = |entry: &&Entry| {
            entry.stage == from
                && entry.labels.iter().all(|(axis, label)| labels.get(axis).is_none_or(|other| other == label))
        };
        let candidates: Vec<&Entry> = self.runs.entries.iter().filter(agrees).collect();
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
