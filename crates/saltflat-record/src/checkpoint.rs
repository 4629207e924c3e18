//! Checkpoints: `checkpoints/step-N.safetensors` (parameters and buffers), `step-N.state.safetensors` (momentum and what else is carried
//! from step to step) and the sidecar `step-N.json` with their checksums. A checkpoint is whole if the sidecar is there and its checksums
//! hold; the sidecar is written last and removed first.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    atomic::{indented, write_checked},
    error::FolderError,
    lock::LockedFolder,
    names::{CHECKPOINTS, SCHEMA, VECTORS},
    progress::Progress,
    read::read_if_there,
    sha256::sha256_hex,
};

/// Extension of the file with parameters and buffers.
pub const WEIGHTS: &str = "safetensors";
/// Extension of the file with what else is carried from step to step.
pub const STATE: &str = "state.safetensors";
/// Extension of the sidecar.
const SIDECAR: &str = "json";

/// The files of the checkpoint at a step, without their extension.
fn stem(run: &Path, step: u64) -> PathBuf {
    run.join(CHECKPOINTS).join(format!("step-{step:08}"))
}

/// The weights of the checkpoint of a run after so many steps.
pub fn weights_path(run: &Path, step: u64) -> PathBuf {
    stem(run, step).with_extension(WEIGHTS)
}

/// The folder of the vectors that a run's measurement at this step found.
pub fn vectors_path(run: &Path, step: u64) -> PathBuf {
    run.join(VECTORS).join(format!("step-{step:08}"))
}

/// The sidecars of a run with their steps, newest first.
fn sidecars(run: &Path) -> Result<Vec<(u64, PathBuf)>, FolderError> {
    let mut found = step_files(run)?;
    found.retain(|(_, path)| path.extension().is_some_and(|extension| extension == SIDECAR));
    found.reverse();
    Ok(found)
}

/// All files `checkpoints/step-N.*` with their steps, in the order of steps and names.
fn step_files(run: &Path) -> Result<Vec<(u64, PathBuf)>, FolderError> {
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

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// What stands beside the tensors of a checkpoint.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sidecar {
    /// Version of the layout.
    pub schema: u32,
    /// Steps made.
    pub step: u64,
    /// Epochs made.
    pub epoch: u64,
    /// `run.seed`.
    pub seed: u64,
    /// Number of parameters.
    pub parameters: usize,
    /// SHA-256 of the files beside it; [`save_checkpoint`](save_checkpoint) sets it.
    pub files: BTreeMap<String, String>,
    /// The numbers that are carried from step to step.
    pub progress: Progress,
    /// `config.toml` of the process that saved it; sidecars of earlier versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
    /// SHA-256 of the sidecar itself without this entry; [`save_checkpoint`](save_checkpoint) sets it.
    #[serde(default)]
    pub sha256: String,
}

impl Sidecar {
    /// SHA-256 of all else in it.
    fn checksum(&self) -> String {
        let rest = Self { sha256: String::new(), ..self.clone() };
        sha256_hex(json!(rest).to_string().as_bytes())
    }
}

/// Writes the weights, the state and at last the sidecar with their checksums. Then removes the checkpoints before it that are neither among
/// the `keep` newest, this one included, nor at the step `best`; without `keep` all stay. If the folder is locked, it is checked before
/// each file is written or removed. Returns the weights' path.
pub fn save_checkpoint(
    run: &Path,
    mut sidecar: Sidecar,
    [weights, state]: [&[u8]; 2],
    (keep, best): (Option<usize>, Option<u64>),
    locked: Option<&LockedFolder>,
) -> Result<PathBuf, FolderError> {
    let check = || locked.map_or(Ok(()), LockedFolder::check);
    let stem = stem(run, sidecar.step);
    for (extension, bytes) in [(WEIGHTS, weights), (STATE, state)] {
        let path = stem.with_extension(extension);
        write_checked(&path, bytes, &check)?;
        sidecar.files.insert(file_name(&path), sha256_hex(bytes));
    }
    sidecar.sha256 = sidecar.checksum();
    let path = stem.with_extension(SIDECAR);
    write_checked(&path, indented(&path, &sidecar)?.as_bytes(), &check)?;
    if let Some(keep) = keep {
        prune(run, sidecar.step, keep, best, &check)?;
    }
    Ok(stem.with_extension(WEIGHTS))
}

/// Removes the checkpoints before `step` that do not stay, and what a process that was killed left of others.
fn prune(
    run: &Path,
    step: u64,
    keep: usize,
    best: Option<u64>,
    check: &dyn Fn() -> Result<(), FolderError>,
) -> Result<(), FolderError> {
    let older = sidecars(run)?.into_iter().map(|(found, _)| found).filter(|found| *found < step);
    let kept: Vec<u64> = older.take(keep.saturating_sub(1)).chain(best).collect();
    // In the order of their names a sidecar goes first: what is half removed is no checkpoint any more.
    for (found, path) in step_files(run)? {
        if found < step && !kept.contains(&found) {
            check()?;
            fs::remove_file(&path).map_err(FolderError::at(path))?;
        }
    }
    Ok(())
}

/// Removes what a process that was killed left of checkpoints before `step`: files without a sidecar, which is written last and removed
/// first. If the folder is locked, it is checked before each file is removed.
///
/// # Errors
/// [`FolderError`] if the folder cannot be read or a file cannot be removed.
pub fn remove_incomplete_checkpoints(run: &Path, step: u64, locked: &LockedFolder) -> Result<(), FolderError> {
    let whole: Vec<u64> = sidecars(run)?.into_iter().map(|(found, _)| found).collect();
    for (found, path) in step_files(run)? {
        if found < step && !whole.contains(&found) {
            locked.check()?;
            fs::remove_file(&path).map_err(FolderError::at(path))?;
        }
    }
    Ok(())
}

/// The newest checkpoint that is whole and fits, and a sentence about each newer one that is not.
#[derive(Debug)]
pub struct NewestCheckpoint {
    /// Its sidecar's path and content; absent if there is no such checkpoint.
    pub whole: Option<(PathBuf, Sidecar)>,
    /// A sentence about each newer one.
    pub skipped: Vec<String>,
}

impl NewestCheckpoint {
    /// The newest checkpoint of a run; `fits` says what else is wrong with one that is whole.
    ///
    /// # Errors
    /// [`FolderError`] if a checkpoint may be whole but cannot be read now: an older one in its place would cost the steps in between.
    pub fn of(run: &Path, fits: impl Fn(&Sidecar) -> Result<(), String>) -> Result<Self, FolderError> {
        let mut skipped = Vec::new();
        for (_, path) in sidecars(run)? {
            let sound = whole(&path).and_then(|sidecar| fits(&sidecar).map(|()| sidecar).map_err(Unusable::Damaged));
            match sound {
                Ok(sidecar) => return Ok(Self { whole: Some((path, sidecar)), skipped }),
                Err(Unusable::Damaged(reason)) => {
                    skipped.push(format!("checkpoint {} is skipped: {reason}", path.display()));
                }
                Err(Unusable::Unread(path, e)) => {
                    let reason = format!(
                        "it cannot be read ({e}), which says nothing about the checkpoint; if the file is removed, \
                         the run goes on from an older checkpoint, or from its start"
                    );
                    return Err(FolderError::new(path, reason));
                }
            }
        }
        Ok(Self { whole: None, skipped })
    }
}

/// Why a checkpoint is not used.
enum Unusable {
    /// It is not whole, or does not fit.
    Damaged(String),
    /// Its file may be whole, but cannot be read.
    Unread(PathBuf, io::Error),
}

/// Reads a sidecar and checks the files that it names.
fn whole(path: &Path) -> Result<Sidecar, Unusable> {
    let damaged = |reason: String| Err(Unusable::Damaged(reason));
    let text = read(path)?;
    let sidecar: Sidecar = match serde_json::from_slice(&text) {
        Ok(sidecar) => sidecar,
        Err(e) => return damaged(format!("it is not a sidecar ({e})")),
    };
    if sidecar.schema != SCHEMA {
        return damaged(format!("it has schema {}, expected {SCHEMA}", sidecar.schema));
    }
    if sidecar.checksum() != sidecar.sha256 {
        return damaged("its sidecar does not have the SHA-256 that was saved with it".into());
    }
    for extension in [WEIGHTS, STATE] {
        let file = path.with_extension(extension);
        let name = file_name(&file);
        let Some(expected) = sidecar.files.get(&name) else { return damaged(format!("it names no {name}")) };
        let bytes = read(&file)?;
        if sha256_hex(&bytes) != *expected {
            return damaged(format!("{name} ({} bytes) does not have the SHA-256 that was saved with it", bytes.len()));
        }
    }
    Ok(sidecar)
}

fn read(path: &Path) -> Result<Vec<u8>, Unusable> {
    match read_if_there(path) {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(Unusable::Damaged(format!("{} is missing", file_name(path)))),
        Err(e) if e.kind() == ErrorKind::IsADirectory => {
            Err(Unusable::Damaged(format!("{} is a folder, expected a file", file_name(path))))
        }
        Err(e) => Err(Unusable::Unread(path.into(), e)),
    }
}
