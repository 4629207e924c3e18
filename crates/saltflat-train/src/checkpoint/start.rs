//! The weights that a run starts from.

use std::path::{Path, PathBuf};

use burn::tensor::{DType, Device};
use saltflat_models::{Network, Vector, half_precision, load};
use saltflat_record::{CHECKPOINTS, FolderError, NewestCheckpoint, STATE, WEIGHTS, read_regular, sha256_of_file};

use crate::{Plan, TrainError, Trainer, state::TensorMap};

/// The weights and buffers at which a plan starts: those of `train.init`, or random ones.
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
/// [`TrainError::File`] and [`TrainError::NoCheckpoint`] if there are none.
pub fn start_sha256(path: &Path) -> Result<String, TrainError> {
    let path = weights_file(path)?;
    Ok(sha256_of_file(&path).map_err(FolderError::at(path))?)
}

/// Refuses weights that are not those that are expected, if that is known.
fn check_sha256(path: &Path, expected: Option<&str>) -> Result<(), TrainError> {
    let Some(expected) = expected else { return Ok(()) };
    let found = start_sha256(path)?;
    match found == expected {
        true => Ok(()),
        false => Err(TrainError::OtherStart { path: path.into(), expected: expected.into(), found }),
    }
}

/// The start that `train.init` names: a run folder (its newest whole checkpoint), a checkpoint or any safetensors
/// file with PyTorch's names.
///
/// # Errors
/// [`TrainError::File`] if there is no such thing, [`TrainError::Model`] if the weights do not fit.
pub fn load_start(path: &Path, plan: &Plan) -> Result<(Vector, Vector), TrainError> {
    Ok(load(&weights_file(path)?, plan.network.layout(), &plan.device, plan.dtype)?)
}

/// A note about the weights that a path names: that they are stored in half precision, if they are.
pub fn weights_note(path: &Path) -> Result<Option<String>, TrainError> {
    Ok(half_precision(&weights_file(path)?)?)
}

/// Whether [`start`] would find a starting point for this network at a path, with this SHA-256 if one is given.
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
/// [`TrainError::File`] if the file is there and does not fit.
pub fn load_update(path: &Path, plan: &Plan) -> Result<Option<Vector>, TrainError> {
    let path = weights_file(path)?.with_extension(STATE);
    if !is_there(&path)? {
        return Ok(None);
    }
    let update = read_state(&path, plan)?.take_vector("momentum", plan.network.layout());
    let update = update.map_err(|reason| FolderError::new(path, reason))?;
    Ok(update.map(|update| update.map(|part| part.cast(plan.dtype))))
}

pub(super) fn read_state(path: &Path, plan: &Plan) -> Result<TensorMap, TrainError> {
    let bytes = read_regular(path).map_err(FolderError::at(path))?;
    TensorMap::from_bytes(&bytes, path, &plan.device)
}

/// False only if there is definitely nothing at this path.
fn is_there(path: &Path) -> Result<bool, FolderError> {
    path.try_exists().map_err(FolderError::at(path))
}

/// The weights that a path names.
fn weights_file(path: &Path) -> Result<PathBuf, TrainError> {
    if !path.is_dir() {
        return Ok(path.into());
    }
    let none = |reason: String| TrainError::NoCheckpoint { path: path.into(), reason };
    if !is_there(&path.join(CHECKPOINTS))? {
        return Err(none("it holds no folder checkpoints".into()));
    }
    match NewestCheckpoint::of(path, |_| Ok(()))? {
        NewestCheckpoint { whole: Some((sidecar, _)), .. } => Ok(sidecar.with_extension(WEIGHTS)),
        NewestCheckpoint { skipped, .. } if skipped.is_empty() => Err(none("it holds no checkpoint".into())),
        NewestCheckpoint { skipped, .. } => Err(none(skipped.join("; "))),
    }
}
