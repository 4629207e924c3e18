//! A run as its folder tells it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use toml::{Table, Value};

use crate::{
    environment::Environment,
    error::FolderError,
    lock::is_locked,
    names::{CONFIG, LOCK, MANIFEST, METRICS, STATUS},
    read::read_text,
    row::{RecordedTrial, Row, TrialReader, read_rows},
    status::Status,
};

/// The record of a run: what ran, where, how it ended and what was measured.
#[derive(Clone, Debug)]
pub struct RunRecord {
    /// Where it lies.
    pub folder: PathBuf,
    /// Name of the folder.
    pub name: String,
    /// `config.toml`: the resolved configuration.
    pub config: Table,
    /// `env.json`: version, device, precision, checksums of the data.
    pub environment: Environment,
    /// `status.json`.
    pub status: Status,
    /// Rows of epochs, in order. Of several of one epoch the last counts: one that the end of the run cut short has a second row once a
    /// resumed run has completed it.
    pub epochs: Vec<Row>,
    /// Rows of measurements, in order. Of several at one step the last counts.
    pub measurements: Vec<Row>,
    /// The complete trials, if it is the folder of a lab.
    pub trials: Vec<RecordedTrial>,
}

impl RunRecord {
    /// Reads the folder of a run or a lab, also of one that is under way, failed or diverged. A last line of `metrics.jsonl` that was cut
    /// off is left out.
    ///
    /// # Errors
    /// [`FolderError`] if a file is missing or cannot be read as what it should be.
    pub fn read(folder: &Path) -> Result<Self, FolderError> {
        check_is_run(folder)?;
        let text = |name: &str| {
            let path = folder.join(name);
            read_text(&path).map_err(FolderError::at(path))
        };
        let wrong = |name: &str, reason: &str| FolderError::new(folder.join(name), reason);
        let config: Table = toml::from_str(&text(CONFIG)?).map_err(|e| wrong(CONFIG, e.message()))?;
        if config.is_empty() {
            return Err(wrong(CONFIG, "is empty, expected the configuration of the run"));
        }
        let status = Status::parse(text(STATUS)?.as_bytes()).map_err(|reason| wrong(STATUS, &reason))?;
        let (mut epochs, mut measurements) = (BTreeMap::new(), BTreeMap::new());
        let (mut trials, mut trial) = (Vec::new(), TrialReader::default());
        read_rows(folder, &mut |row| {
            trials.extend(trial.add(&row));
            match row.kind() {
                "epoch" => drop(epochs.insert(row.count("epoch"), row)),
                "measurement" => drop(measurements.insert(row.count("step"), row)),
                // The end of a trial, and kinds of later versions.
                _ => {}
            }
        })?;
        let full = fs::canonicalize(folder).unwrap_or_else(|_| folder.into());
        Ok(Self {
            folder: folder.into(),
            name: full.file_name().unwrap_or(folder.as_os_str()).to_string_lossy().into_owned(),
            environment: Environment::read(folder)?,
            status,
            epochs: epochs.into_values().collect(),
            measurements: measurements.into_values().collect(),
            trials,
            config,
        })
    }

    /// Refuses a run that has finished and whose rows end before: its last values would be those of an earlier epoch. Bernoulli sampling
    /// can draw no sample in the last epoch, which has no row then.
    pub fn check_end(&self) -> Result<(), FolderError> {
        let sampling = self.config.get("optimizer").and_then(|table| table.get("sampling")).and_then(Value::as_str);
        let last = self.epochs.iter().chain(&self.measurements).map(|row| row.count("step")).max().unwrap_or(0);
        let step = self.status.step;
        if self.status.status != "finished" || last >= step || sampling == Some("bernoulli") {
            return Ok(());
        }
        let reason = format!("its rows end at step {last}, and the run has finished at step {step}");
        Err(FolderError::new(self.folder.join(METRICS), reason))
    }
}

/// Refuses a path that exists and cannot be the folder of a run.
fn check_is_run(path: &Path) -> Result<(), FolderError> {
    let shown = path.display();
    let reason = match (path.is_file(), path.is_dir() && path.join(MANIFEST).is_file()) {
        (true, _) => "is a file, expected the folder of a run".to_string(),
        (false, true) => format!(
            "is the folder of a study, expected that of a run, {shown}/STAGE/RUN; saltflat study {shown} --page writes the page of the study"
        ),
        (false, false) => return Ok(()),
    };
    Err(FolderError::new(path, reason))
}

/// How far a run is, as its folder says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// All its steps are made, or a goal was reached.
    Finished,
    /// The loss or a weight is not finite any more.
    Diverged,
    /// Saved, and asked to stop.
    Interrupted,
    /// Ended by an error.
    Failed,
    /// A process runs in it.
    Running,
    /// Its process ended without writing why; it can be resumed from its last checkpoint.
    Dead,
    /// No run: there is no folder, or no status in it.
    None,
    /// Its folder is there, or may be, and cannot be read now: nothing can be said of it, and nothing is to be done with it.
    Unreadable,
}

impl RunState {
    /// How far the run in this folder is now.
    pub fn of(folder: &Path) -> Self {
        // A resumed run says so only after it has read its checkpoint, hence the lock decides and not the status.
        let status = match is_locked(&folder.join(LOCK)) {
            Ok(true) => return Self::Running,
            Ok(false) => Status::read(folder),
            Err(_) => return Self::Unreadable,
        };
        match status {
            Err(_) => Self::Unreadable,
            Ok(None) => Self::None,
            Ok(Some(status)) => match status.status.as_str() {
                "finished" => Self::Finished,
                "diverged" => Self::Diverged,
                "interrupted" => Self::Interrupted,
                "failed" => Self::Failed,
                _ => Self::Dead,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let run = RunRecord::read(folder.path()).unwrap();
        assert_eq!(run.epochs.iter().map(|row| row.count("step")).collect::<Vec<_>>(), [6, 9]);
        assert_eq!(run.measurements.iter().map(|row| row.count("again")).collect::<Vec<_>>(), [1]);
    }
}
