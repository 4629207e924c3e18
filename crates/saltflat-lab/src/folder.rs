//! The folder of a lab.

use std::{collections::BTreeMap, fs, io::ErrorKind, path::Path};

use saltflat_record::{
    AppendFile, CONFIG, ENVIRONMENT, Environment, Field, FolderError, LOCK, LockedFolder, METRICS, Row as MetricsRow,
    Status, TrialEnd, TrialMeasurement, TrialReader, complete_lines, is_temporary, line, read_if_there, trial_name,
};
use serde_json::json;

use crate::{Lab, LabError, Outcome, Row, Trial};

/// The [record](saltflat_record) of a lab: `config.toml` (the settings), `env.json`, `status.json`, `metrics.jsonl` and `lock`.
///
/// `metrics.jsonl` holds a line for every [`Row`] (`kind` is `measurement`) and one for the end of every trial (`kind` is
/// `trial`, with its status). The lines of a trial are written together, so that a trial is there or not; when all are, they
/// stand in the order of the trials.
#[derive(Debug)]
pub struct LabFolder {
    folder: LockedFolder,
    trials: BTreeMap<String, Kept>,
    metrics: AppendFile,
}

/// A trial that was made, with its lines as they stand in the file.
#[derive(Debug, Default)]
struct Kept {
    lines: Vec<u8>,
    outcome: Outcome,
}

impl LabFolder {
    /// Makes the folder, or opens that of the same lab with the same settings and finds the trials that it holds.
    ///
    /// # Errors
    /// [`LabError::Changed`] if it holds another lab or other settings, [`LabError::Locked`] if another process works in
    /// it, [`LabError::Folder`].
    pub fn open(root: &Path, lab: &dyn Lab) -> Result<Self, LabError> {
        let config = config(lab);
        let file = root.join(CONFIG);
        let old = read_if_there(&file).map_err(FolderError::at(&file))?;
        // What a process left that could not write its settings, on a full disk, belongs to no other lab.
        let is_of_start = |name: &str| matches!(name, LOCK | ENVIRONMENT) || is_temporary(name);
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
            let environment = Environment::new(&json!({
                "backend": "f64 on the processor",
                "threads": rayon::current_num_threads(),
                "deterministic": "equal seeds give equal bits",
            }));
            environment.write(&folder)?;
            folder.write(CONFIG, config.as_bytes())?;
        }
        let path = root.join(METRICS);
        let text = read_if_there(&path).map_err(FolderError::at(path))?.unwrap_or_default();
        let trials = complete_trials(&text);
        // What was cut off is removed.
        let kept: Vec<u8> = trials.values().flat_map(|kept| kept.lines.iter().copied()).collect();
        if kept.len() != text.len() {
            folder.write(METRICS, &kept)?;
        }
        let folder = Self { trials, metrics: folder.append(METRICS)?, folder };
        folder.status("running", None, 0)?;
        Ok(folder)
    }

    /// Where it lies.
    pub fn root(&self) -> &Path {
        self.folder.root()
    }

    /// True if the trial is there.
    pub fn holds(&self, trial: &Trial) -> bool {
        self.trials.contains_key(&trial_name(&trial.labels, trial.seed))
    }

    /// Writes a trial.
    ///
    /// # Errors
    /// [`LabError::Folder`].
    pub fn keep(&mut self, trial: &Trial, outcome: &Outcome) -> Result<(), LabError> {
        let lines = lines(trial, outcome).map_err(|e| FolderError::new(self.root().join(METRICS), e))?;
        self.metrics.append(&self.folder, &lines)?;
        let kept = Kept { lines: lines.into(), outcome: outcome.clone() };
        self.trials.insert(trial_name(&trial.labels, trial.seed), kept);
        Ok(())
    }

    /// Brings the trials into their order and says that it is finished; `None`, and a status that says interrupted, if one
    /// is missing.
    pub(crate) fn finish(&mut self, trials: &[Trial]) -> Result<Option<Vec<(Trial, Outcome)>>, LabError> {
        let kept = |trial: &Trial| self.trials.get(&trial_name(&trial.labels, trial.seed));
        let found: Option<Vec<(&Trial, &Kept)>> = trials.iter().map(|trial| Some((trial, kept(trial)?))).collect();
        let (made, all) = (trials.iter().filter(|trial| self.holds(trial)), trials.len());
        let (count, steps) = made.fold((0, 0), |(count, steps), trial| (count + 1, steps + trial.steps));
        let Some(found) = found else {
            self.status("interrupted", Some(&format!("{count} of {all} trials are made")), steps)?;
            return Ok(None);
        };
        let lines: Vec<u8> = found.iter().flat_map(|(_, kept)| kept.lines.iter().copied()).collect();
        self.folder.write(METRICS, &lines)?;
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

fn lines(trial: &Trial, outcome: &Outcome) -> serde_json::Result<String> {
    let Trial { labels, seed, .. } = trial;
    let mut lines = String::new();
    for Row { step, values: metrics } in &outcome.rows {
        lines += &line("measurement", &TrialMeasurement { labels, metrics, seed: *seed, step: *step })?;
    }
    let (rows, step) = (outcome.rows.len(), outcome.rows.last().map_or(0, |row| row.step));
    let status = if outcome.diverged.is_some() { "diverged" } else { "finished" };
    let reason = outcome.diverged.as_deref();
    Ok(lines + &line("trial", &TrialEnd { labels, reason, rows, seed: *seed, status, step })?)
}

/// The trials whose last line is there, by their names. Other lines are left out.
fn complete_trials(text: &[u8]) -> BTreeMap<String, Kept> {
    let (mut reader, mut lines, mut trials) =
        (TrialReader::default(), BTreeMap::<String, Vec<u8>>::new(), BTreeMap::new());
    for (line, row) in complete_lines(text) {
        let Some(row) = row else { continue };
        let Some(name) = TrialReader::name(&row) else { continue };
        lines.entry(name.clone()).or_default().extend(line);
        let trial = reader.add(&row);
        if row.kind() != "trial" {
            continue;
        }
        let lines = lines.remove(&name).unwrap_or_default();
        if let Some(trial) = trial {
            let outcome = Outcome { rows: trial.rows.iter().map(parsed).collect(), diverged: trial.reason };
            trials.insert(name, Kept { lines, outcome });
        }
    }
    trials
}

fn parsed(row: &MetricsRow) -> Row {
    let number = |(name, value): (&str, Field<'_>)| (name.to_string(), value.as_f64().unwrap_or(f64::NAN));
    Row {
        step: row.count("step"),
        values: row.get("metrics").into_iter().flat_map(Field::entries).map(number).collect(),
    }
}
