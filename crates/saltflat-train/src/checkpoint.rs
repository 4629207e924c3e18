//! Checkpoints: weights under PyTorch's names, all that goes on from there, and what says that they are whole.

mod config_changes;
mod newest;
mod saved_run;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use burn::tensor::{DType, Device};
use saltflat_models::{Layout, Network, Vector, half_precision, load, save};
use saltflat_record::{LockedFolder, SCHEMA, read_regular, write, write_json};
use serde::{Deserialize, Serialize};
use serde_json::json;

use self::newest::{Newest, file_name, sha256, sidecars, step_files};
pub use self::{
    config_changes::{CHANGEABLE, ConfigChange, ConfigChanges},
    saved_run::{Resumed, SavedRun, resume},
};
use crate::{
    Plan, TrainError, Trainer,
    state::{Named, Progress},
};

/// `checkpoints/step-N.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Sidecar {
    schema: u32,
    step: u64,
    epoch: u64,
    seed: u64,
    parameters: usize,
    /// SHA-256 of the files beside it.
    files: BTreeMap<String, String>,
    progress: Progress,
    /// `config.toml` of the process that saved it; sidecars of earlier versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    config: Option<String>,
    /// Its [checksum](Self::checksum).
    #[serde(default)]
    sha256: String,
}

impl Sidecar {
    /// SHA-256 of all else in it.
    fn checksum(&self) -> String {
        let rest = Self { sha256: String::new(), ..self.clone() };
        sha256(json!(rest).to_string().as_bytes())
    }
}

/// Writes `checkpoints/step-N.safetensors` (parameters and buffers), `step-N.state.safetensors` (momentum and what else is
/// carried from step to step) and at last the sidecar `step-N.json` with their checksums and the configuration: a checkpoint is
/// whole where the sidecar is there and its checksums hold. Then removes the older ones that `train.checkpoint` does not keep. Returns the
/// weights' path.
///
/// # Errors
/// [`TrainError::File`] where the disk fails, [`TrainError::Model`] and [`TrainError::Training`] where the device does.
pub fn save_checkpoint(run: &Path, trainer: &Trainer<'_>) -> Result<PathBuf, TrainError> {
    save_in(run, trainer, None)
}

/// As [`save_checkpoint`], in a folder that is checked before each file is written or removed, if it is locked.
pub(crate) fn save_in(run: &Path, trainer: &Trainer<'_>, locked: Option<&LockedFolder>) -> Result<PathBuf, TrainError> {
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
        locked.map_or_else(|| write(path, &bytes), |folder| folder.write(path, &bytes))?;
        files.insert(file_name(path), sha256(&bytes));
    }
    let (epoch, seed, parameters) = (trainer.epochs(), plan.config.run.seed, layout.len());
    let sidecar_path = stem.with_extension("json");
    let config = plan.config.to_toml();
    let config = config.map_err(|e| TrainError::File { path: sidecar_path.clone(), reason: e.to_string() })?;
    let mut sidecar = Sidecar {
        schema: SCHEMA,
        step,
        epoch,
        seed,
        parameters,
        files,
        progress,
        config: Some(config),
        sha256: String::new(),
    };
    sidecar.sha256 = sidecar.checksum();
    let value = json!(sidecar);
    locked.map_or_else(|| write_json(&sidecar_path, &value), |folder| folder.write_json(&sidecar_path, &value))?;
    if let Some(keep) = plan.config.train.checkpoint.keep {
        prune(run, step, keep, trainer.best_step(), locked)?;
    }
    Ok(weights)
}

/// Removes the checkpoints before `step` that are neither among the `keep` newest, this one included, nor the best, and what
/// a process that was killed left of others.
fn prune(
    run: &Path,
    step: u64,
    keep: usize,
    best: Option<u64>,
    locked: Option<&LockedFolder>,
) -> Result<(), TrainError> {
    let older = sidecars(run)?.into_iter().map(|(found, _)| found).filter(|found| *found < step);
    let kept: Vec<u64> = older.take(keep - 1).chain(best).collect();
    // In the order of their names a sidecar goes first: what is half removed is no checkpoint any more.
    for (found, path) in step_files(run)? {
        if found < step && !kept.contains(&found) {
            locked.map_or(Ok(()), LockedFolder::check)?;
            fs::remove_file(&path).map_err(|e| TrainError::File { path, reason: e.to_string() })?;
        }
    }
    Ok(())
}

/// Where a plan starts: at `train.init`, or at random.
///
/// # Errors
/// As [`load_start`], and [`TrainError::OtherStart`].
pub fn start(plan: &Plan) -> Result<(Vector, Vector), TrainError> {
    let train = &plan.config.train;
    match &train.init {
        None => Ok(Trainer::random_start(plan)),
        Some(path) => {
            check_sha256(path, train.init_sha256.as_deref())?;
            load_start(path, plan)
        }
    }
}

/// SHA-256, hexadecimal, of the weights that [`load_start`] would load.
///
/// # Errors
/// [`TrainError::File`] and [`TrainError::NoCheckpoint`] where there are none.
pub fn start_sha256(path: &Path) -> Result<String, TrainError> {
    let path = weights_file(path)?;
    let failed = |reason: String| TrainError::File { path: path.clone(), reason };
    Ok(sha256(&read_regular(&path).map_err(|e| failed(e.to_string()))?))
}

/// Whether the weights that a path names are those that are expected, where that is said.
fn check_sha256(path: &Path, expected: Option<&str>) -> Result<(), TrainError> {
    let Some(expected) = expected else { return Ok(()) };
    let found = start_sha256(path)?;
    match found == expected {
        true => Ok(()),
        false => Err(TrainError::OtherStart { path: path.into(), expected: expected.into(), found }),
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

/// What has to be said about the weights that a path names: that they are stored in half precision, if they are.
///
/// # Errors
/// As [`load_start`].
pub fn weights_note(path: &Path) -> Result<Option<String>, TrainError> {
    Ok(half_precision(&weights_file(path)?)?)
}

/// Whether [`start`] would find a starting point for this network at a path, with this SHA-256 where one is given.
///
/// # Errors
/// As [`start`].
pub fn check_start(path: &Path, sha256: Option<&str>, network: &Network) -> Result<(), TrainError> {
    check_sha256(path, sha256)?;
    load(&weights_file(path)?, network.layout(), &Device::flex(), DType::F32)?;
    Ok(())
}

/// The momentum beside a run's newest whole checkpoint, or beside a checkpoint file, if there is one: the direction of the
/// last update, in the number type of the plan, whatever it is stored in.
///
/// # Errors
/// [`TrainError::File`] where the file is there and does not fit.
pub fn load_update(path: &Path, plan: &Plan) -> Result<Option<Vector>, TrainError> {
    let path = weights_file(path)?.with_extension("state.safetensors");
    if !is_there(&path)? {
        return Ok(None);
    }
    let layout: &Layout = plan.network.layout();
    let update = read_state(&path, plan)?.take_vector("momentum", layout);
    let update = update.map_err(|reason| TrainError::File { path, reason })?;
    Ok(update.map(|update| update.map(|part| part.cast(plan.dtype))))
}

fn read_state(path: &Path, plan: &Plan) -> Result<Named, TrainError> {
    let bytes = read_regular(path).map_err(|e| TrainError::File { path: path.into(), reason: e.to_string() })?;
    Named::from_bytes(&bytes, path, &plan.device)
}

/// False only where there is definitely nothing at this path.
fn is_there(path: &Path) -> Result<bool, TrainError> {
    path.try_exists().map_err(|e| TrainError::File { path: path.into(), reason: e.to_string() })
}

/// The weights that a path names.
fn weights_file(path: &Path) -> Result<PathBuf, TrainError> {
    if !path.is_dir() {
        return Ok(path.into());
    }
    let none = |reason: String| TrainError::NoCheckpoint { path: path.into(), reason };
    if !is_there(&path.join("checkpoints"))? {
        return Err(none("it holds no folder checkpoints".into()));
    }
    match Newest::of(path, |_| Ok(()))? {
        Newest { whole: Some((sidecar, _)), .. } => Ok(sidecar.with_extension("safetensors")),
        Newest { skipped, .. } if skipped.is_empty() => Err(none("it holds no checkpoint".into())),
        Newest { skipped, .. } => Err(none(skipped.join("; "))),
    }
}
