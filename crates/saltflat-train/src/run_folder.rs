//! The folder of a run, as a trainer writes it.

use std::{
    env, fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use saltflat_record::{
    AppendFile, CHECKPOINTS, CONFIG, ENVIRONMENT, Environment, FolderError, LOCK, LOG, LockedFolder, METRICS, Row,
    STATUS, Status, complete_lines, line, now, read_if_there, read_regular, remove_incomplete_checkpoints,
    remove_temporary, vectors_path,
};
use serde::Serialize;
use serde_json::json;

use crate::{
    DeviceInfo, EpochRow, MeasuredVectors, MeasurementRow, Observer, Plan, Resumed, Snapshot, TrainError, Trainer,
    checkpoint::save_in, config::Config,
};

/// The [record](saltflat_record) of a run, which this process writes. Before anything is written the folder is
/// [checked](LockedFolder::check) to be the one whose lock is held.
#[derive(Debug)]
pub struct RunFolder {
    metrics: AppendFile,
    log: AppendFile,
    folder: LockedFolder,
}

/// The files that [`RunFolder::create`] makes, in the order in which they can be removed.
const CREATED: [&str; 6] = [CONFIG, ENVIRONMENT, STATUS, METRICS, LOG, LOCK];

/// What a resumed run finds.
#[derive(Debug)]
pub struct ResumeReport {
    /// The rows of `metrics.jsonl` that stay.
    pub rows: Vec<Row>,
    /// What is not as it was when the run began, by its key in `env.json`: the numbers may differ in their last bits.
    pub changed: Vec<&'static str>,
}

impl RunFolder {
    /// Creates the folder with `config.toml`, `env.json` and a status that says running.
    ///
    /// # Errors
    /// [`TrainError::Exists`] if it exists, [`TrainError::File`] if it cannot be written; then nothing is left.
    pub fn create(root: &Path, plan: &Plan, device: &DeviceInfo, features: &[&str]) -> Result<Self, TrainError> {
        if let Some(parent) = root.parent() {
            fs::create_dir_all(parent).map_err(FolderError::at(root))?;
        }
        // Fails if the folder exists, also if another run made it just now.
        fs::create_dir(root).map_err(|e| match e.kind() {
            ErrorKind::AlreadyExists => TrainError::Exists(root.into()),
            _ => FolderError::at(root)(e).into(),
        })?;
        let fill = || {
            let folder = lock_run(root)?;
            fs::create_dir(root.join(CHECKPOINTS)).map_err(FolderError::at(root))?;
            write_config(&folder, &plan.config)?;
            environment(plan, device, features).write(&folder)?;
            let folder = Self::with_lock(folder)?;
            folder.status(&Status::new("running", None, 0))?;
            Ok(folder)
        };
        fill().inspect_err(|_| {
            // What cannot be removed was not writable in the first place. Nothing else is removed.
            for name in CREATED {
                let _ = fs::remove_file(root.join(name));
            }
            let _ = fs::remove_dir(root.join(CHECKPOINTS));
            let _ = fs::remove_dir(root);
        })
    }

    /// Opens the folder of a run, and nobody else can until this is dropped.
    ///
    /// # Errors
    /// [`TrainError::Resume`] if it is no run, [`TrainError::Locked`] if a process runs in it, [`TrainError::File`].
    pub fn open(root: &Path) -> Result<Self, TrainError> {
        for name in [CONFIG, ENVIRONMENT, CHECKPOINTS] {
            let path = root.join(name);
            if !path.try_exists().map_err(FolderError::at(path))? {
                let reason = format!(
                    "it is no run folder, it has no {name} (of a run: restore that, or start it anew in another folder)"
                );
                return Err(TrainError::Resume { path: root.into(), reason });
            }
        }
        let folder = lock_run(root)?;
        for folder in [root.to_path_buf(), root.join(CHECKPOINTS)] {
            remove_temporary(&folder);
        }
        Self::with_lock(folder)
    }

    fn with_lock(folder: LockedFolder) -> Result<Self, TrainError> {
        Ok(Self { metrics: folder.append(METRICS)?, log: folder.append(LOG)?, folder })
    }

    /// Checks that the folder is still the one whose lock this holds. Every method that writes does so by itself; this is for what
    /// else is written in the folder.
    ///
    /// # Errors
    /// [`TrainError::File`] if it was removed or replaced.
    pub fn check(&self) -> Result<(), TrainError> {
        Ok(self.folder.check()?)
    }

    /// Resumes a run in a folder that was opened: cuts `metrics.jsonl` back to the rows that belong to the trainer's state, writes
    /// `config.toml` if the configuration is another one, adds this environment and the keys that changed to `env.json`, and sets the
    /// status to running.
    ///
    /// # Errors
    /// [`TrainError::Resume`] if rows are missing or the data have changed; then nothing was changed.
    /// [`TrainError::File`].
    pub fn resume(
        &mut self,
        resumed: &Resumed<'_>,
        device: &DeviceInfo,
        features: &[&str],
    ) -> Result<ResumeReport, TrainError> {
        let (trainer, changes) = (&resumed.trainer, &resumed.config_changes);
        let mut first = Environment::read(self.root())?;
        let now = environment(trainer.plan(), device, features);
        if let Some(reason) = first.different_data(&now) {
            return Err(TrainError::Resume { path: self.root().into(), reason });
        }
        let rows = self.cut_back(trainer)?;
        remove_incomplete_checkpoints(self.root(), trainer.steps(), &self.folder)?;
        self.configure(&trainer.plan().config)?;
        let compared_with = if changes.is_complete { "checkpoint" } else { "config.toml" };
        let keys = [
            ("step", json!(trainer.steps())),
            ("config_changes", json!(changes.keys)),
            ("config_compared_with", json!(compared_with)),
        ];
        let changed = first.resume(now, keys);
        first.write(&self.folder)?;
        self.status(&Status::new("running", None, trainer.steps()))?;
        Ok(ResumeReport { rows, changed })
    }

    /// Cuts `metrics.jsonl` back to its first rows, as many as the trainer has recorded, and returns them.
    fn cut_back(&mut self, trainer: &Trainer<'_>) -> Result<Vec<Row>, TrainError> {
        let path = self.root().join(METRICS);
        let (text, needed) = (read_regular(&path).map_err(FolderError::at(path))?, trainer.rows() as usize);
        let complete = complete_lines(&text).map_while(|(line, row)| Some((line, row?)));
        let (lines, rows): (Vec<&[u8]>, Vec<Row>) = complete.take(needed).unzip();
        if rows.len() < needed {
            let (found, step) = (rows.len(), trainer.steps());
            let reason = format!("metrics.jsonl has {found} whole rows, expected at least {needed} at step {step}");
            return Err(TrainError::Resume { path: self.root().into(), reason });
        }
        let kept = lines.concat();
        if kept != text {
            self.folder.write(METRICS, &kept)?;
            self.metrics = self.folder.append(METRICS)?;
        }
        Ok(rows)
    }

    /// Saves a checkpoint, after the rows that belong to it.
    ///
    /// # Errors
    /// As [`save_checkpoint`](crate::save_checkpoint).
    pub fn checkpoint(&self, snapshot: &Snapshot<'_>) -> Result<PathBuf, TrainError> {
        self.metrics.sync()?;
        save_in(self.root(), snapshot, Some(&self.folder))
    }

    /// Writes the `config.toml` from which the run is resumed, unless it is that already.
    pub fn configure(&self, config: &Config) -> Result<(), TrainError> {
        write_config(&self.folder, config)
    }

    /// Where it lies.
    pub fn root(&self) -> &Path {
        self.folder.root()
    }

    /// Appends a row of this kind to `metrics.jsonl`.
    fn append(&self, kind: &str, row: &impl Serialize) -> Result<(), TrainError> {
        let line = line(kind, row).map_err(|e| FolderError::new(self.root().join(METRICS), e))?;
        Ok(self.metrics.append(&self.folder, &line)?)
    }

    /// Appends a line to `log.txt`, with the time.
    pub fn log(&self, text: &str) -> Result<(), TrainError> {
        Ok(self.log.append(&self.folder, &format!("{} {text}\n", now()))?)
    }

    /// Writes `status.json`.
    pub fn status(&self, status: &Status) -> Result<(), TrainError> {
        Ok(self.folder.status(status)?)
    }
}

fn lock_run(root: &Path) -> Result<LockedFolder, TrainError> {
    LockedFolder::take(root)?.ok_or_else(|| TrainError::Locked(root.into()))
}

fn write_config(folder: &LockedFolder, config: &Config) -> Result<(), TrainError> {
    let path = folder.root().join(CONFIG);
    let text = config.to_toml().map_err(|e| FolderError::new(&path, e))?;
    let old = read_if_there(&path).map_err(FolderError::at(path))?;
    match old.is_some_and(|old| old == text.as_bytes()) {
        true => Ok(()),
        false => Ok(folder.write(CONFIG, text.as_bytes())?),
    }
}

/// Keeps the rows, the vectors and the checkpoints of a run.
impl Observer for &RunFolder {
    fn epoch(&mut self, row: &EpochRow) -> Result<(), TrainError> {
        self.append("epoch", row)
    }

    fn vectors(&mut self, plan: &Plan, step: u64, vectors: &MeasuredVectors) -> Result<(), TrainError> {
        self.check()?;
        vectors.write(&vectors_path(self.root(), step), plan.network.layout(), &MeasuredVectors::about(plan)).map(drop)
    }

    fn measurement(&mut self, row: &MeasurementRow) -> Result<(), TrainError> {
        self.append("measurement", row)
    }

    fn checkpoint(&mut self, snapshot: &Snapshot<'_>) -> Result<(), TrainError> {
        RunFolder::checkpoint(self, snapshot).map(drop)
    }
}

/// What the numbers depend on beside the configuration.
fn environment(plan: &Plan, device: &DeviceInfo, features: &[&str]) -> Environment {
    let datasets: Vec<_> = plan.sources.iter().map(|(file, sha256)| json!({"file": file, "sha256": sha256})).collect();
    Environment::new(&json!({
        "backend": device.backend,
        "device": device.name,
        "driver": device.driver,
        "software_adapter": device.software,
        "device_choice": device.why,
        "features": features,
        "autotune_level": env::var("CUBECL_AUTOTUNE_LEVEL").ok(),
        "fusion": env::var("SALTFLAT_FUSION").ok(),
        "kernels": env::var(saltflat_kernels::SWITCH).ok(),
        "threads": saltflat_kernels::thread_count(),
        "precision": plan.precision(),
        "deterministic": match device.backend {
            "flex" => "equal seeds give equal bits",
            _ => "reductions on a GPU may use atomics: equal seeds agree up to rounding",
        },
        "parameters": plan.network.layout().len(),
        "datasets": datasets,
    }))
}
