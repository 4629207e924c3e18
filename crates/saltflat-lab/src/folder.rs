//! The folder of a lab.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{ErrorKind, Write},
    path::Path,
};

use saltflat_record::{FolderError, LockedFolder, Status, is_temporary, provenance, read_if_there};
use serde_json::{Map, Value, json};

use crate::{Lab, LabError, Outcome, Row, Trial};

/// `config.toml` (the settings), `env.json`, `status.json`, `metrics.jsonl` and `lock`.
///
/// `metrics.jsonl` holds a line for every [`Row`] (`kind` is `measurement`) and one for the end of every trial (`kind` is
/// `trial`, with its status). The lines of a trial are written together, so that a trial is there or not; when all are, they
/// stand in the order of the trials.
#[derive(Debug)]
pub struct LabFolder {
    folder: LockedFolder,
    trials: BTreeMap<String, Kept>,
    metrics: File,
}

/// A trial that was made, with its lines as they stand in the file.
#[derive(Debug, Default)]
struct Kept {
    lines: String,
    outcome: Outcome,
}

impl LabFolder {
    /// Makes the folder, or opens that of the same lab with the same settings and finds the trials that it holds.
    ///
    /// # Errors
    /// [`LabError::Changed`] where it holds another lab or other settings, [`LabError::Locked`] where another process works in
    /// it, [`LabError::Folder`].
    pub fn open(root: &Path, lab: &dyn Lab) -> Result<Self, LabError> {
        let config = config(lab);
        let file = root.join("config.toml");
        let old = read_if_there(&file).map_err(FolderError::at(&file))?;
        // What a process left that could not write its settings, on a full disk, belongs to no other lab.
        let is_of_start = |name: &str| matches!(name, "lock" | "env.json") || is_temporary(name);
        let empty = match fs::read_dir(root) {
            Ok(entries) => {
                let names = entries.map(|entry| Ok(entry?.file_name())).collect::<std::io::Result<Vec<_>>>();
                names.map_err(FolderError::at(root))?.iter().all(|name| name.to_str().is_some_and(is_of_start))
            }
            Err(e) if e.kind() == ErrorKind::NotFound => true,
            Err(e) => return Err(FolderError::at(root)(e).into()),
        };
        if old.as_ref().is_some_and(|old| old != config.as_bytes()) || old.is_none() && !empty {
            return Err(LabError::Changed(root.into()));
        }
        fs::create_dir_all(root).map_err(FolderError::at(root))?;
        let folder = LockedFolder::take(root)?.ok_or_else(|| LabError::Locked(root.into()))?;
        if old.is_none() {
            let mut environment = provenance();
            environment.insert("backend".into(), json!("f64 on the processor"));
            environment.insert("threads".into(), json!(rayon::current_num_threads()));
            environment.insert("deterministic".into(), json!("equal seeds give equal bits"));
            folder.write_json(&root.join("env.json"), &Value::Object(environment))?;
            folder.write(&file, config.as_bytes())?;
        }
        let path = root.join("metrics.jsonl");
        // A line may be torn within a letter.
        let bytes = read_if_there(&path).map_err(FolderError::at(&path))?.unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let trials = whole_trials(&text);
        // What was torn off is cut away.
        let kept: String = trials.values().map(|kept| kept.lines.as_str()).collect();
        if kept.len() != text.len() {
            folder.write(&path, kept.as_bytes())?;
        }
        let folder = Self { trials, metrics: folder.append("metrics.jsonl")?, folder };
        folder.status("running", None, 0)?;
        Ok(folder)
    }

    /// Where it lies.
    pub fn root(&self) -> &Path {
        self.folder.root()
    }

    /// True where the trial is made.
    pub fn holds(&self, trial: &Trial) -> bool {
        self.trials.contains_key(&name(trial))
    }

    /// Writes a trial.
    ///
    /// # Errors
    /// [`LabError::Folder`].
    pub fn keep(&mut self, trial: &Trial, outcome: &Outcome) -> Result<(), LabError> {
        let lines = lines(trial, outcome);
        let path = self.root().join("metrics.jsonl");
        self.folder.check()?;
        self.metrics.write_all(lines.as_bytes()).map_err(FolderError::at(path))?;
        self.trials.insert(name(trial), Kept { lines, outcome: outcome.clone() });
        Ok(())
    }

    /// Brings the trials into their order and says that it is finished; `None`, and a status that says interrupted, where one
    /// is missing.
    pub(crate) fn finish(&mut self, trials: &[Trial]) -> Result<Option<Vec<(Trial, Outcome)>>, LabError> {
        let found: Option<Vec<(&Trial, &Kept)>> =
            trials.iter().map(|trial| Some((trial, self.trials.get(&name(trial))?))).collect();
        let (made, all) = (trials.iter().filter(|trial| self.holds(trial)), trials.len());
        let (count, steps) = made.fold((0, 0), |(count, steps), trial| (count + 1, steps + trial.steps));
        let Some(found) = found else {
            self.status("interrupted", Some(&format!("{count} of {all} trials are made")), steps)?;
            return Ok(None);
        };
        let lines: String = found.iter().map(|(_, kept)| kept.lines.as_str()).collect();
        self.folder.write(&self.root().join("metrics.jsonl"), lines.as_bytes())?;
        self.status("finished", Some(&format!("all {all} trials are made")), steps)?;
        Ok(Some(found.into_iter().map(|(trial, kept)| (trial.clone(), kept.outcome.clone())).collect()))
    }

    fn status(&self, status: &str, reason: Option<&str>, step: u64) -> Result<(), LabError> {
        Ok(self.folder.status(&Status::new(status, reason, step))?)
    }
}

/// `[run]` with the lab's name, `[lab]` with the settings.
fn config(lab: &dyn Lab) -> String {
    let mut run = toml::Table::new();
    run.insert("name".into(), lab.about().name.into());
    let mut all = toml::Table::new();
    all.insert("run".into(), run.into());
    all.insert("lab".into(), lab.settings().into());
    all.to_string()
}

/// A trial's name: its labels and its seed.
fn name(trial: &Trial) -> String {
    json!([trial.labels, trial.seed]).to_string()
}

fn lines(trial: &Trial, outcome: &Outcome) -> String {
    let line = |kind: &str, step: u64, more: &[(&str, Value)]| {
        let mut line = json!({"kind": kind, "labels": trial.labels, "seed": trial.seed, "step": step});
        for (key, value) in more {
            line[*key] = value.clone();
        }
        line.to_string() + "\n"
    };
    // What is not finite becomes null.
    let row = |row: &Row| line("measurement", row.step, &[("metrics", json!(row.values))]);
    let status = if outcome.diverged.is_some() { "diverged" } else { "finished" };
    let step = outcome.rows.last().map_or(0, |row| row.step);
    let rows = json!(outcome.rows.len());
    let end = line("trial", step, &[("rows", rows), ("status", json!(status)), ("reason", json!(outcome.diverged))]);
    outcome.rows.iter().map(row).chain([end]).collect()
}

/// The trials whose last line is there.
fn whole_trials(text: &str) -> BTreeMap<String, Kept> {
    let (mut open, mut whole) = (BTreeMap::<String, Kept>::new(), BTreeMap::new());
    for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
        let Ok(Value::Object(row)) = serde_json::from_str::<Value>(line) else { continue };
        let (Some(labels), Some(seed)) = (row.get("labels"), row.get("seed")) else { continue };
        let name = json!([labels, seed]).to_string();
        let kept = open.entry(name.clone()).or_default();
        kept.lines.push_str(line);
        if row.get("kind") == Some(&json!("trial")) {
            kept.outcome.diverged = row.get("reason").and_then(Value::as_str).map(String::from);
            let rows = row.get("rows").and_then(Value::as_u64);
            let complete = |kept: &Kept| rows == Some(kept.outcome.rows.len() as u64);
            whole.extend(open.remove(&name).filter(complete).map(|kept| (name, kept)));
        } else {
            kept.outcome.rows.push(parsed(&row));
        }
    }
    whole
}

fn parsed(row: &Map<String, Value>) -> Row {
    let number = |(name, value): (&String, &Value)| (name.clone(), value.as_f64().unwrap_or(f64::NAN));
    Row {
        step: row.get("step").and_then(Value::as_u64).unwrap_or(0),
        values: row.get("metrics").and_then(Value::as_object).into_iter().flatten().map(number).collect(),
    }
}
