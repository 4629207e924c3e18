//! Checkpoints: weights under PyTorch's names, all that goes on from there, and what says that they are whole.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use saltflat_folder::{SCHEMA, write, write_json};
use saltflat_models::{Layout, Vector, load, save};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    Plan, TrainError, Trainer,
    state::{Named, Progress},
};

/// `checkpoints/step-N.json`.
#[derive(Debug, Serialize, Deserialize)]
struct Sidecar {
    schema: u32,
    step: u64,
    epoch: u64,
    seed: u64,
    parameters: usize,
    /// SHA-256 of the files beside it.
    files: BTreeMap<String, String>,
    progress: Progress,
}

/// Writes `checkpoints/step-N.safetensors` (parameters and buffers), `step-N.state.safetensors` (momentum and what else is
/// carried from step to step) and at last the sidecar `step-N.json` with their checksums: a checkpoint is whole where the
/// sidecar is there and its checksums hold. Then removes the older ones that `train.checkpoint` does not keep. Returns the
/// weights' path.
///
/// # Errors
/// [`TrainError::File`] where the disk fails, [`TrainError::Model`] and [`TrainError::Training`] where the device does.
pub fn save_checkpoint(run: &Path, trainer: &Trainer<'_>) -> Result<PathBuf, TrainError> {
    let (plan, step) = (trainer.plan(), trainer.steps());
    let stem = run.join("checkpoints").join(format!("step-{step:08}"));
    let layout = plan.network.layout();
    let (progress, tensors) = trainer.state();
    let weights = stem.with_extension("safetensors");
    let mut files = BTreeMap::new();
    for (path, bytes) in [
        (&weights, save(layout, trainer.theta(), trainer.buffers())?),
        (&stem.with_extension("state.safetensors"), tensors.to_bytes()?),
    ] {
        write(path, &bytes)?;
        files.insert(file_name(path), sha256(&bytes));
    }
    let (epoch, seed, parameters) = (trainer.epochs(), plan.config.run.seed, layout.len());
    let sidecar = Sidecar { schema: SCHEMA, step, epoch, seed, parameters, files, progress };
    write_json(&stem.with_extension("json"), &serde_json::json!(sidecar))?;
    if let Some(keep) = plan.config.train.checkpoint.keep {
        prune(run, step, keep, trainer.best_step())?;
    }
    Ok(weights)
}

/// Removes the checkpoints before `step` that are neither among the `keep` newest, this one included, nor the best, and what
/// a process that was killed left of others.
fn prune(run: &Path, step: u64, keep: usize, best: Option<u64>) -> Result<(), TrainError> {
    let older = sidecars(run)?.into_iter().map(|(found, _)| found).filter(|found| *found < step);
    let kept: Vec<u64> = older.take(keep - 1).chain(best).collect();
    // In the order of their names a sidecar goes first: what is half removed is no checkpoint any more.
    for (found, path) in step_files(run)? {
        if found < step && !kept.contains(&found) {
            fs::remove_file(&path).map_err(|e| TrainError::File { path, reason: e.to_string() })?;
        }
    }
    Ok(())
}

/// A run where it was saved last.
#[derive(Debug)]
pub struct Resumed<'a> {
    /// It goes on from here.
    pub trainer: Trainer<'a>,
    /// A sentence about each newer checkpoint that is not whole.
    pub skipped: Vec<String>,
}

/// The run at its newest whole checkpoint; at its start where there is none.
///
/// # Errors
/// [`TrainError::Model`] and [`TrainError::Resume`] where a whole checkpoint is of another network or another seed.
pub fn resume<'a>(run: &Path, plan: &'a Plan) -> Result<Resumed<'a>, TrainError> {
    let Newest { whole, skipped } = Newest::of(run)?;
    let Some((path, sidecar)) = whole else {
        return Ok(Resumed { trainer: Trainer::new(plan, start(plan)?), skipped });
    };
    let refused = |reason: String| TrainError::Resume { path: run.into(), reason };
    let seed = plan.config.run.seed;
    if sidecar.seed != seed {
        return Err(refused(format!("{} is of seed {}, config.toml says {seed}", path.display(), sidecar.seed)));
    }
    let weights = load(&path.with_extension("safetensors"), plan.network.layout(), &plan.device, plan.dtype)?;
    let state = read_state(&path.with_extension("state.safetensors"), plan)?;
    let trainer = Trainer::restored(plan, weights, sidecar.progress, state)
        .map_err(|reason| refused(format!("{}: {reason}", path.with_extension("state.safetensors").display())))?;
    Ok(Resumed { trainer, skipped })
}

/// Where a plan starts: at `train.init`, or at random.
///
/// # Errors
/// As [`load_start`].
pub fn start(plan: &Plan) -> Result<(Vector, Vector), TrainError> {
    match &plan.config.train.init {
        None => Ok(Trainer::random_start(plan)),
        Some(path) => load_start(path, plan),
    }
}

/// The starting point that `train.init` names: a run folder (its newest whole checkpoint), a checkpoint or any safetensors
/// file with PyTorch's names.
///
/// # Errors
/// [`TrainError::File`] where there is no such thing, [`TrainError::Model`] where the weights do not fit.
pub fn load_start(path: &Path, plan: &Plan) -> Result<(Vector, Vector), TrainError> {
    Ok(load(&weights_file(path)?, plan.network.layout(), &plan.device, plan.dtype)?)
}

/// The momentum beside a run's newest whole checkpoint, or beside a checkpoint file, if there is one: the direction of the
/// last update.
///
/// # Errors
/// [`TrainError::File`] where the file is there and does not fit.
pub fn load_update(path: &Path, plan: &Plan) -> Result<Option<Vector>, TrainError> {
    let path = weights_file(path)?.with_extension("state.safetensors");
    if !path.is_file() {
        return Ok(None);
    }
    let layout: &Layout = plan.network.layout();
    read_state(&path, plan)?.take_vector("momentum", layout).map_err(|reason| TrainError::File { path, reason })
}

fn read_state(path: &Path, plan: &Plan) -> Result<Named, TrainError> {
    let bytes = fs::read(path).map_err(|e| TrainError::File { path: path.into(), reason: e.to_string() })?;
    Named::from_bytes(&bytes, path, &plan.device)
}

/// The weights that a path names.
fn weights_file(path: &Path) -> Result<PathBuf, TrainError> {
    if !path.is_dir() {
        return Ok(path.into());
    }
    let none = |reason: String| TrainError::NoCheckpoint { path: path.into(), reason };
    if !path.join("checkpoints").is_dir() {
        return Err(none("it holds no folder checkpoints".into()));
    }
    match Newest::of(path)? {
        Newest { whole: Some((sidecar, _)), .. } => Ok(sidecar.with_extension("safetensors")),
        Newest { skipped, .. } if skipped.is_empty() => Err(none("it holds no checkpoint".into())),
        Newest { skipped, .. } => Err(none(skipped.join("; "))),
    }
}

/// The newest whole checkpoint, and a sentence about each newer one that is not.
struct Newest {
    whole: Option<(PathBuf, Sidecar)>,
    skipped: Vec<String>,
}

impl Newest {
    fn of(run: &Path) -> Result<Self, TrainError> {
        let mut skipped = Vec::new();
        for (_, path) in sidecars(run)? {
            match whole(&path) {
                Ok(sidecar) => return Ok(Self { whole: Some((path, sidecar)), skipped }),
                Err(reason) => skipped.push(format!("checkpoint {} is skipped: {reason}", path.display())),
            }
        }
        Ok(Self { whole: None, skipped })
    }
}

/// Reads a sidecar and checks the files that it names, or says what is wrong with them.
fn whole(path: &Path) -> Result<Sidecar, String> {
    let text = fs::read(path).map_err(|e| e.to_string())?;
    let sidecar: Sidecar = serde_json::from_slice(&text).map_err(|e| format!("it is not a sidecar ({e})"))?;
    if sidecar.schema != SCHEMA {
        return Err(format!("it has schema {}, expected {SCHEMA}", sidecar.schema));
    }
    for extension in ["safetensors", "state.safetensors"] {
        let file = path.with_extension(extension);
        let name = file_name(&file);
        let expected = sidecar.files.get(&name).ok_or_else(|| format!("it names no {name}"))?;
        let bytes = fs::read(&file).map_err(|e| format!("{name}: {e}"))?;
        if sha256(&bytes) != *expected {
            return Err(format!("{name} ({} bytes) does not have the SHA-256 that was saved with it", bytes.len()));
        }
    }
    Ok(sidecar)
}

/// The sidecars of a run with their steps, newest first.
fn sidecars(run: &Path) -> Result<Vec<(u64, PathBuf)>, TrainError> {
    let mut found = step_files(run)?;
    found.retain(|(_, path)| path.extension().is_some_and(|extension| extension == "json"));
    found.reverse();
    Ok(found)
}

/// All files `checkpoints/step-N.*` with their steps, in the order of steps and names.
fn step_files(run: &Path) -> Result<Vec<(u64, PathBuf)>, TrainError> {
    let folder = run.join("checkpoints");
    let failed = |e: std::io::Error| TrainError::File { path: folder.clone(), reason: e.to_string() };
    let mut found = Vec::new();
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = file_name(&path);
        let step = name.strip_prefix("step-").and_then(|name| name.split('.').next()?.parse().ok());
        found.extend(step.map(|step| (step, path)));
    }
    found.sort();
    Ok(found)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// SHA-256, hexadecimal.
fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
