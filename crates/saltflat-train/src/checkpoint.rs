//! Checkpoints of a trainer, and the weights that a run starts from.

mod config_changes;
mod saved_run;
mod start;

use std::path::{Path, PathBuf};

use saltflat_models::save;
use saltflat_record::{FolderError, LockedFolder, SCHEMA, Sidecar, save_checkpoint as write_checkpoint};

pub use self::{
    config_changes::{CHANGEABLE, ConfigChange, ConfigChanges},
    saved_run::{Resumed, SavedRun, resume},
    start::{check_start, load_start, load_update, load_weights, start, start_notes, start_sha256},
};
use crate::{Snapshot, TrainError};

/// Writes a [checkpoint](saltflat_record::Sidecar) with the configuration. Then removes the older ones that `train.checkpoint` does not
/// keep. Returns the weights' path.
///
/// # Errors
/// [`TrainError::File`] if the disk fails, [`TrainError::Model`] and [`TrainError::Training`] if the device does.
pub fn save_checkpoint(run: &Path, snapshot: &Snapshot<'_>) -> Result<PathBuf, TrainError> {
    save_in(run, snapshot, None)
}

/// As [`save_checkpoint`], in a folder that is checked before each file is written or removed, if it is locked.
pub(crate) fn save_in(
    run: &Path,
    snapshot: &Snapshot<'_>,
    locked: Option<&LockedFolder>,
) -> Result<PathBuf, TrainError> {
    let Snapshot { plan, step, epochs, theta, buffers, progress, tensors } = snapshot;
    let layout = plan.network.layout();
    let sidecar = Sidecar {
        schema: SCHEMA,
        step: *step,
        epoch: *epochs,
        seed: plan.config.run.seed,
        parameters: layout.len(),
        files: Default::default(),
        progress: progress.clone(),
        config: Some(plan.config.to_toml().map_err(|e| FolderError::new(run, e))?),
        sha256: String::new(),
    };
    let kept = (plan.config.train.checkpoint.keep, progress.best.map(|best| best.step));
    let weights = save(layout, theta, buffers)?;
    Ok(write_checkpoint(run, sidecar, [&weights, &tensors.to_bytes()?], kept, locked)?)
}
