//! Checkpoints: weights under PyTorch's names, and what says how they came to be.

use std::{
    fs,
    path::{Path, PathBuf},
};

use saltflat_models::{Layout, Vector, load, save};
use serde_json::json;

use crate::{Plan, TrainError, Trainer, run_folder};

/// Writes `checkpoints/step-N.safetensors` (parameters and buffers), `step-N.momentum.safetensors` where there is momentum,
/// and at last the sidecar `step-N.json`, so that a checkpoint with a sidecar is whole. Returns the weights' path.
///
/// # Errors
/// [`TrainError::File`] where the disk fails, [`TrainError::Model`] where the device does.
pub fn save_checkpoint(run: &Path, plan: &Plan, trainer: &Trainer<'_>) -> Result<PathBuf, TrainError> {
    let stem = run.join("checkpoints").join(format!("step-{:08}", trainer.steps()));
    let layout = plan.network.layout();
    let bytes = save(layout, trainer.theta(), trainer.buffers())?;
    let path = stem.with_extension("safetensors");
    run_folder::write(&path, &bytes)?;
    if let Some(velocity) = trainer.velocity() {
        let bytes = save(layout, velocity, &Vector::new(Vec::new()))?;
        run_folder::write(&stem.with_extension("momentum.safetensors"), &bytes)?;
    }
    let sidecar = json!({
        "schema": run_folder::SCHEMA,
        "step": trainer.steps(),
        "epoch": trainer.epochs(),
        "seed": plan.config.run.seed,
        "weights": path.file_name().map(|name| name.to_string_lossy()),
        "parameters": layout.len(),
    });
    run_folder::write_json(&stem.with_extension("json"), &sidecar)?;
    Ok(path)
}

/// The starting point that `train.init` names: a run folder (its last checkpoint), a checkpoint or any safetensors file
/// with PyTorch's names.
///
/// # Errors
/// [`TrainError::File`] where there is no such thing, [`TrainError::Model`] where the weights do not fit.
pub fn load_start(path: &Path, plan: &Plan) -> Result<(Vector, Vector), TrainError> {
    let file = if path.is_dir() { last_checkpoint(path)? } else { path.into() };
    Ok(load(&file, plan.network.layout(), &plan.device, plan.dtype)?)
}

/// The momentum beside a run's last checkpoint, or beside a checkpoint file, if there is one: the direction of the last
/// update.
///
/// # Errors
/// [`TrainError::Model`] where the file is there and does not fit.
pub fn load_update(path: &Path, plan: &Plan) -> Result<Option<Vector>, TrainError> {
    let file = if path.is_dir() { last_checkpoint(path)? } else { path.into() };
    let momentum = file.with_extension("momentum.safetensors");
    if !momentum.is_file() {
        return Ok(None);
    }
    let parameters = Layout { parameters: plan.network.layout().parameters.clone(), buffers: Vec::new() };
    Ok(Some(load(&momentum, &parameters, &plan.device, plan.dtype)?.0))
}

/// The weights of a run's last whole checkpoint.
fn last_checkpoint(run: &Path) -> Result<PathBuf, TrainError> {
    let folder = run.join("checkpoints");
    let none = |reason: String| TrainError::NoCheckpoint { path: run.into(), reason };
    let entries = fs::read_dir(&folder).map_err(|e| none(format!("{} cannot be read ({e})", folder.display())))?;
    let mut sidecars: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    sidecars.sort();
    let last = sidecars.pop().ok_or_else(|| none("it holds no checkpoint".into()))?;
    Ok(last.with_extension("safetensors"))
}
