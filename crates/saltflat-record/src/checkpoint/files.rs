//! The files of the checkpoints of a run.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{error::FolderError, names::CHECKPOINTS};

/// Extension of the file with parameters and buffers.
pub const WEIGHTS: &str = "safetensors";
/// Extension of the file with what else is carried from step to step.
pub const STATE: &str = "state.safetensors";
/// Extension of the sidecar.
pub(super) const SIDECAR: &str = "json";

/// The files of the checkpoint at a step, without their extension.
pub(super) fn stem(run: &Path, step: u64) -> PathBuf {
    run.join(CHECKPOINTS).join(format!("step-{step:08}"))
}

/// The weights of the checkpoint of a run after so many steps.
pub fn weights_path(run: &Path, step: u64) -> PathBuf {
    stem(run, step).with_extension(WEIGHTS)
}

/// The sidecars of a run with their steps, newest first.
pub(super) fn sidecars(run: &Path) -> Result<Vec<(u64, PathBuf)>, FolderError> {
    let mut found = step_files(run)?;
    found.retain(|(_, path)| path.extension().is_some_and(|extension| extension == SIDECAR));
    found.reverse();
    Ok(found)
}

/// All files `checkpoints/step-N.*` with their steps, in the order of steps and names.
pub(super) fn step_files(run: &Path) -> Result<Vec<(u64, PathBuf)>, FolderError> {
    let folder = run.join(CHECKPOINTS);
    let mut found = Vec::new();
    for entry in fs::read_dir(&folder).map_err(FolderError::at(&folder))? {
        let path = entry.map_err(FolderError::at(&folder))?.path();
        let name = file_name(&path);
        let step = name.strip_prefix("step-").and_then(|name| name.split('.').next()?.parse().ok());
        found.extend(step.map(|step| (step, path)));
    }
    found.sort();
    Ok(found)
}

pub(super) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
