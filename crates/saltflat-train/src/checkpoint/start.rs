//! The weights that a run starts from.

use std::path::{Path, PathBuf};

use burn::tensor::{DType, Device};
use saltflat_models::{INDEX, Loaded, Network, Renames, Vector, load_notes, load_renamed, weight_files};
use saltflat_record::{
    CHECKPOINTS, FolderError, NewestCheckpoint, STATE, WEIGHTS, read_regular, sha256_hex, sha256_of_file,
};

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

/// SHA-256, hexadecimal, of the weights that [`load_start`] would load. Of several files that an index names it is that of the text with a line
/// `SHA-256  NAME` for the index and each of the files, as `sha256sum` prints them.
///
/// # Errors
/// [`TrainError::File`] and [`TrainError::NoCheckpoint`] if there are none.
pub fn start_sha256(path: &Path) -> Result<String, TrainError> {
    let path = Place::of(path)?.file;
    let sum = |path: &PathBuf| sha256_of_file(path).map_err(FolderError::at(path.clone()));
    let files = weight_files(&path)?;
    let [_, _, ..] = files.as_slice() else { return Ok(sum(&path)?) };
    let folder = path.parent().unwrap_or(Path::new(""));
    let line =
        |path: &PathBuf| Ok(format!("{}  {}\n", sum(path)?, path.strip_prefix(folder).unwrap_or(path).display()));
    let lines = files.iter().map(line).collect::<Result<String, FolderError>>()?;
    Ok(sha256_hex(lines.as_bytes()))
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

/// The start that `train.init` names: a run folder (its newest whole checkpoint), a checkpoint, any safetensors file with PyTorch's names, or the
/// index of several or its folder. Names that are not the network's are taken as [`load_renamed`] says, after `train.rename`, which is for weights
/// from elsewhere: those of a run have the network's names.
///
/// # Errors
/// [`TrainError::File`] if there is no such thing, [`TrainError::Model`] if the weights do not fit.
pub fn load_start(path: &Path, plan: &Plan) -> Result<(Vector, Vector), TrainError> {
    let Loaded { theta, buffers, .. } =
        Place::of(path)?.load(&plan.network, &plan.config.train.rename, &plan.device, plan.dtype)?;
    Ok((theta, buffers))
}

/// The weights at a path for a network, as [`load_start`] loads them, with the sentences of [`start_notes`].
///
/// # Errors
/// As [`load_start`].
pub fn load_weights(
    path: &Path,
    network: &Network,
    renames: &Renames,
    device: &Device,
    dtype: DType,
) -> Result<Loaded, TrainError> {
    let place = Place::of(path)?;
    let mut loaded = place.load(network, renames, device, dtype)?;
    loaded.notes.extend(place.assumed(network));
    Ok(loaded)
}

/// What a person should know of the weights that [`load_start`] loads: names that were changed, half precision, and what the network assumes that a
/// file from elsewhere does not say.
///
/// # Errors
/// As [`load_start`].
pub fn start_notes(path: &Path, plan: &Plan) -> Result<Vec<String>, TrainError> {
    let place = Place::of(path)?;
    let mut notes = load_notes(&place.file, plan.network.layout(), place.renames(&plan.config.train.rename))?;
    notes.extend(place.assumed(&plan.network));
    Ok(notes)
}

/// Whether [`start`] would find a starting point for this network at a path, with this SHA-256 if one is given, under the names that `renames` gives.
///
/// # Errors
/// As [`start`].
pub fn check_start(path: &Path, sha256: Option<&str>, renames: &Renames, network: &Network) -> Result<(), TrainError> {
    check_sha256(path, sha256)?;
    Place::of(path)?.load(network, renames, &Device::flex(), DType::F32)?;
    Ok(())
}

/// The momentum beside a run's newest whole checkpoint, or beside a checkpoint file, if there is one: the direction of the
/// last update, in the number type of the plan, whatever it is stored in.
///
/// # Errors
/// [`TrainError::File`] if the file is there and does not fit.
pub fn load_update(path: &Path, plan: &Plan) -> Result<Option<Vector>, TrainError> {
    let path = Place::of(path)?.file.with_extension(STATE);
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

/// Where the weights are that a path names.
struct Place {
    /// A safetensors file, or the index of several.
    file: PathBuf,
    /// True for the checkpoint of a run.
    is_of_run: bool,
}

/// No name is another one.
const SAME: &Renames = &Renames::new();

impl Place {
    fn of(path: &Path) -> Result<Self, TrainError> {
        if !path.is_dir() {
            let folder = path.parent().and_then(Path::file_name);
            let is_of_run = folder.is_some_and(|name| name == CHECKPOINTS) && is_there(&path.with_extension("json"))?;
            return Ok(Self { file: path.into(), is_of_run });
        }
        let none = |reason: String| TrainError::NoCheckpoint { path: path.into(), reason };
        if !is_there(&path.join(CHECKPOINTS))? {
            let index = path.join(INDEX);
            return match is_there(&index)? {
                true => Ok(Self { file: index, is_of_run: false }),
                false => Err(none(format!("it holds no folder checkpoints, and no {INDEX} either"))),
            };
        }
        match NewestCheckpoint::of(path, |_| Ok(()))? {
            NewestCheckpoint { whole: Some((sidecar, _)), .. } => {
                Ok(Self { file: sidecar.with_extension(WEIGHTS), is_of_run: true })
            }
            NewestCheckpoint { skipped, .. } if skipped.is_empty() => Err(none("it holds no checkpoint".into())),
            NewestCheckpoint { skipped, .. } => Err(none(skipped.join("; "))),
        }
    }

    /// The map of names, which is for weights from elsewhere.
    fn renames<'a>(&self, given: &'a Renames) -> &'a Renames {
        if self.is_of_run { SAME } else { given }
    }

    /// A sentence about what a network assumes that a file from elsewhere does not say.
    fn assumed(&self, network: &Network) -> Option<String> {
        let assumed = network.assumptions();
        let text = "taken from [model], since a file of weights does not say it";
        (!self.is_of_run && !assumed.is_empty())
            .then(|| format!("{}: {text}: {}", self.file.display(), assumed.join(", ")))
    }

    fn load(&self, network: &Network, given: &Renames, device: &Device, dtype: DType) -> Result<Loaded, TrainError> {
        Ok(load_renamed(&self.file, network.layout(), self.renames(given), device, dtype)?)
    }
}
