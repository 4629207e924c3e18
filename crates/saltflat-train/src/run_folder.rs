//! The folder of a run.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

use serde::Serialize;
use serde_json::{Value, json};

use saltflat_record::{LockedFolder, Status, now, provenance, read_if_there, read_regular, remove_temporary};

use crate::{
    Chosen, EpochRow, MeasurementRow, Plan, Resumed, TrainError, Trainer, checkpoint::save_in, config::Config,
};

/// `config.toml` (resolved), `env.json`, `status.json`, `metrics.jsonl`, `log.txt`, `checkpoints/`, and `lock`, which the
/// process that runs in it holds. A file is written under a temporary name and renamed, or is only appended to; before each of them
/// the folder is [checked](LockedFolder::check) to be the one whose lock is held.
#[derive(Debug)]
pub struct RunFolder {
    metrics: File,
    log: File,
    folder: LockedFolder,
}

/// The files and folders that [`RunFolder::create`] makes, in the order in which they can be removed.
const MADE: [&str; 6] = ["config.toml", "env.json", "status.json", "metrics.jsonl", "log.txt", "lock"];

/// What a run that goes on finds.
#[derive(Debug)]
pub struct Before {
    /// The rows of `metrics.jsonl` that stay.
    pub rows: Vec<Value>,
    /// What is not as it was when the run began, by its key in `env.json`: the numbers may differ in their last bits.
    pub changed: Vec<&'static str>,
}

impl RunFolder {
    /// Creates the folder with `config.toml`, `env.json` and a status that says running.
    ///
    /// # Errors
    /// [`TrainError::Exists`] where it exists, [`TrainError::File`] where it cannot be written; then nothing is left.
    pub fn create(root: &Path, plan: &Plan, device: &Chosen, features: &[&str]) -> Result<Self, TrainError> {
        let failed = |path: &Path| {
            let path = path.to_path_buf();
            move |e: std::io::Error| TrainError::File { path, reason: e.to_string() }
        };
        if let Some(parent) = root.parent() {
            fs::create_dir_all(parent).map_err(failed(root))?;
        }
        // Fails where the folder exists, also when another run made it just now.
        fs::create_dir(root).map_err(|e| match e.kind() {
            std::io::ErrorKind::AlreadyExists => TrainError::Exists(root.into()),
            _ => failed(root)(e),
        })?;
        let fill = || {
            let folder = take(root)?;
            fs::create_dir(root.join("checkpoints")).map_err(failed(root))?;
            write_config(&folder, &plan.config)?;
            folder.write_json(&root.join("env.json"), &environment(plan, device, features))?;
            let folder = Self::with_lock(folder)?;
            folder.status(&Status::new("running", None, 0))?;
            Ok(folder)
        };
        fill().inspect_err(|_| {
            // Nothing half-written stays; what cannot be removed was not writable in the first place. Nothing else is removed.
            for name in MADE {
                let _ = fs::remove_file(root.join(name));
            }
            let _ = fs::remove_dir(root.join("checkpoints"));
            let _ = fs::remove_dir(root);
        })
    }

    /// Opens the folder of a run, and nobody else can until this is dropped.
    ///
    /// # Errors
    /// [`TrainError::Resume`] where it is no run, [`TrainError::Locked`] where a process runs in it, [`TrainError::File`].
    pub fn open(root: &Path) -> Result<Self, TrainError> {
        for name in ["config.toml", "env.json", "checkpoints"] {
            let path = root.join(name);
            if !path.try_exists().map_err(|e| TrainError::File { path, reason: e.to_string() })? {
                let reason = format!(
                    "it is no run folder, it has no {name} (of a run: restore that, or start it anew in another folder)"
                );
                return Err(TrainError::Resume { path: root.into(), reason });
            }
        }
        let folder = take(root)?;
        for folder in [root.to_path_buf(), root.join("checkpoints")] {
            remove_temporary(&folder);
        }
        Self::with_lock(folder)
    }

    fn with_lock(folder: LockedFolder) -> Result<Self, TrainError> {
        Ok(Self { metrics: folder.append("metrics.jsonl")?, log: folder.append("log.txt")?, folder })
    }

    /// Looks whether the folder is still the one whose lock this holds. Every method that writes does so by itself; this is for what
    /// else is written in the folder.
    ///
    /// # Errors
    /// [`TrainError::File`] if it was removed or replaced.
    pub fn check(&self) -> Result<(), TrainError> {
        Ok(self.folder.check()?)
    }

    /// Goes on in a folder that was opened: cuts `metrics.jsonl` back to the rows that belong to the trainer's state, writes
    /// `config.toml` if the configuration is another one, adds this environment and the keys that changed to `env.json`, and says
    /// that it runs.
    ///
    /// # Errors
    /// [`TrainError::Resume`] where rows are missing or the data have changed; then nothing was changed.
    /// [`TrainError::File`].
    pub fn go_on(&mut self, resumed: &Resumed<'_>, device: &Chosen, features: &[&str]) -> Result<Before, TrainError> {
        let (trainer, changes) = (&resumed.trainer, &resumed.config_changes);
        let path = self.root().join("env.json");
        let mut first: Value = serde_json::from_slice(&read(&path)?)
            .map_err(|e| TrainError::File { path: path.clone(), reason: format!("it is not JSON ({e})") })?;
        let mut now = environment(trainer.plan(), device, features);
        if let Some(reason) = other_data(&first["datasets"], &now["datasets"]) {
            return Err(TrainError::Resume { path: self.root().into(), reason });
        }
        let rows = self.cut_back(trainer)?;
        self.configure(&trainer.plan().config)?;
        let changed = OF_THE_LAST_BITS.into_iter().filter(|key| first[key] != now[key]).collect();
        now["step"] = json!(trainer.steps());
        now["config_changes"] = json!(changes.keys);
        now["config_compared_with"] = json!(if changes.is_complete { "checkpoint" } else { "config.toml" });
        match first.get_mut("resumed").and_then(Value::as_array_mut) {
            Some(resumed) => resumed.push(now),
            None => first["resumed"] = json!([now]),
        }
        self.folder.write_json(&path, &first)?;
        self.status(&Status::new("running", None, trainer.steps()))?;
        Ok(Before { rows, changed })
    }

    /// Cuts `metrics.jsonl` back to its first rows, as many as the trainer told, and gives them.
    fn cut_back(&mut self, trainer: &Trainer<'_>) -> Result<Vec<Value>, TrainError> {
        let path = self.root().join("metrics.jsonl");
        let (text, needed) = (read(&path)?, trainer.rows() as usize);
        let (lines, rows): (Vec<&[u8]>, Vec<Value>) = whole_rows(&text).take(needed).unzip();
        if rows.len() < needed {
            let (found, step) = (rows.len(), trainer.steps());
            let reason = format!("metrics.jsonl has {found} whole rows, expected at least {needed} at step {step}");
            return Err(TrainError::Resume { path: self.root().into(), reason });
        }
        let kept = lines.concat();
        if kept != text {
            self.folder.write(&path, &kept)?;
            self.metrics = self.folder.append("metrics.jsonl")?;
        }
        Ok(rows)
    }

    /// Saves a checkpoint, after the rows that belong to it.
    ///
    /// # Errors
    /// As [`save_checkpoint`](crate::save_checkpoint).
    pub fn checkpoint(&self, trainer: &Trainer<'_>) -> Result<PathBuf, TrainError> {
        let path = self.root().join("metrics.jsonl");
        self.metrics.sync_all().map_err(|e| TrainError::File { path, reason: e.to_string() })?;
        save_in(self.root(), trainer, Some(&self.folder))
    }

    /// Writes the `config.toml` from which the run goes on, unless it is that already.
    ///
    /// # Errors
    /// [`TrainError::File`].
    pub fn configure(&self, config: &Config) -> Result<(), TrainError> {
        write_config(&self.folder, config)
    }

    /// Where it lies.
    pub fn root(&self) -> &Path {
        self.folder.root()
    }

    /// Appends an epoch to `metrics.jsonl`.
    ///
    /// # Errors
    /// [`TrainError::File`].
    pub fn epoch(&mut self, row: &EpochRow) -> Result<(), TrainError> {
        self.row("epoch", row)
    }

    /// Appends a measurement to `metrics.jsonl`.
    ///
    /// # Errors
    /// [`TrainError::File`].
    pub fn measurement(&mut self, row: &MeasurementRow) -> Result<(), TrainError> {
        self.row("measurement", row)
    }

    fn row(&mut self, kind: &str, row: &impl Serialize) -> Result<(), TrainError> {
        #[derive(Serialize)]
        struct Line<'a, R> {
            kind: &'a str,
            #[serde(flatten)]
            row: &'a R,
        }
        let failed = |reason: String| TrainError::File { path: self.folder.root().join("metrics.jsonl"), reason };
        let mut line = serde_json::to_string(&Line { kind, row }).map_err(|e| failed(e.to_string()))?;
        line.push('\n');
        // A file that was removed can be written to; nobody would find it.
        self.check()?;
        self.metrics.write_all(line.as_bytes()).map_err(|e| failed(e.to_string()))
    }

    /// Appends a line to `log.txt`, with the time.
    ///
    /// # Errors
    /// [`TrainError::File`].
    pub fn log(&mut self, text: &str) -> Result<(), TrainError> {
        self.check()?;
        let path = self.folder.root().join("log.txt");
        writeln!(self.log, "{} {text}", now()).map_err(|e| TrainError::File { path, reason: e.to_string() })
    }

    /// Writes `status.json`.
    ///
    /// # Errors
    /// [`TrainError::File`].
    pub fn status(&self, status: &Status) -> Result<(), TrainError> {
        Ok(self.folder.status(status)?)
    }
}

fn take(root: &Path) -> Result<LockedFolder, TrainError> {
    LockedFolder::take(root)?.ok_or_else(|| TrainError::Locked(root.into()))
}

fn write_config(folder: &LockedFolder, config: &Config) -> Result<(), TrainError> {
    let path = folder.root().join("config.toml");
    let text = config.to_toml().map_err(|e| TrainError::File { path: path.clone(), reason: e.to_string() })?;
    let old = read_if_there(&path).map_err(|e| TrainError::File { path: path.clone(), reason: e.to_string() })?;
    if old.is_some_and(|old| old == text.as_bytes()) {
        return Ok(());
    }
    Ok(folder.write(&path, text.as_bytes())?)
}

/// The whole rows that the `metrics.jsonl` of a run begins with: lines with an end, each of them JSON.
///
/// # Errors
/// [`TrainError::File`].
pub(crate) fn read_rows(run: &Path) -> Result<Vec<Value>, TrainError> {
    Ok(whole_rows(&read(&run.join("metrics.jsonl"))?).map(|(_, row)| row).collect())
}

/// Lines and rows up to the first that was torn off or is no JSON.
fn whole_rows(text: &[u8]) -> impl Iterator<Item = (&[u8], Value)> {
    let lines = text.split_inclusive(|&c| c == b'\n').take_while(|line| line.ends_with(b"\n"));
    lines.map_while(|line| Some((line, serde_json::from_slice(line).ok()?)))
}

fn read(path: &Path) -> Result<Vec<u8>, TrainError> {
    read_regular(path).map_err(|e| TrainError::File { path: path.into(), reason: e.to_string() })
}

/// Says which data differ, if any do. What counts is their content, decompressed, in the order of the files: where they lie,
/// how that is spelled and whether they are compressed may change.
fn other_data(then: &Value, now: &Value) -> Option<String> {
    let list = |datasets: &Value| datasets.as_array().cloned().unwrap_or_default();
    let (then, now) = (list(then), list(now));
    if then.len() != now.len() {
        return Some(format!("its data were {} files when it began and are {} now", then.len(), now.len()));
    }
    let differing = then.iter().zip(&now).filter(|(then, now)| then["sha256"] != now["sha256"]);
    let text = |value: &Value| value.as_str().unwrap_or("none").to_string();
    let said: Vec<String> = differing
        .map(|(then, now)| {
            let [file, before] = [&then["file"], &then["sha256"]].map(text);
            let [place, after] = [&now["file"], &now["sha256"]].map(text);
            format!("\n  {file} had SHA-256 {before} when the run began, {place} has {after} now")
        })
        .collect();
    (!said.is_empty()).then(|| format!("its data have changed{}", said.concat()))
}

/// Keys of `env.json` on which the last bits of the numbers depend.
const OF_THE_LAST_BITS: [&str; 8] =
    ["version", "git_revision", "backend", "device", "driver", "features", "fusion", "kernels"];

/// What the numbers depend on beside the configuration.
fn environment(plan: &Plan, device: &Chosen, features: &[&str]) -> Value {
    let datasets: Vec<_> = plan.sources.iter().map(|(file, sha256)| json!({"file": file, "sha256": sha256})).collect();
    let deterministic = match device.backend {
        "flex" => "equal seeds give equal bits",
        _ => "reductions on a GPU may use atomics: equal seeds agree up to rounding",
    };
    let own = json!({
        "backend": device.backend,
        "device": device.name,
        "driver": device.driver,
        "software_adapter": device.software,
        "device_choice": device.why,
        "features": features,
        "autotune_level": std::env::var("CUBECL_AUTOTUNE_LEVEL").ok(),
        "fusion": std::env::var("SALTFLAT_FUSION").ok(),
        "kernels": std::env::var(saltflat_kernels::SWITCH).ok(),
        "threads": saltflat_kernels::thread_count(),
        "precision": plan.precision(),
        "deterministic": deterministic,
        "parameters": plan.network.layout().len(),
        "datasets": datasets,
    });
    let mut all = provenance();
    if let Value::Object(own) = own {
        all.extend(own);
    }
    Value::Object(all)
}
