//! Which checkpoint of a run is the newest that can be used.

use std::{
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use saltflat_record::{SCHEMA, read_if_there};
use sha2::{Digest, Sha256};

use super::Sidecar;
use crate::TrainError;

/// The newest checkpoint that is whole and fits, and a sentence about each newer one that is not.
pub(super) struct Newest {
    /// Its sidecar's path and content.
    pub(super) whole: Option<(PathBuf, Sidecar)>,
    pub(super) skipped: Vec<String>,
}

impl Newest {
    /// Of a run; `fits` says what else is wrong with one that is whole.
    ///
    /// # Errors
    /// [`TrainError::File`] where a checkpoint may be whole but cannot be read now: an older one in its place would cost the steps
    /// in between.
    pub(super) fn of(run: &Path, fits: impl Fn(&Sidecar) -> Result<(), String>) -> Result<Self, TrainError> {
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
                    return Err(TrainError::File { path, reason });
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
    for extension in ["safetensors", "state.safetensors"] {
        let file = path.with_extension(extension);
        let name = file_name(&file);
        let Some(expected) = sidecar.files.get(&name) else { return damaged(format!("it names no {name}")) };
        let bytes = read(&file)?;
        if sha256(&bytes) != *expected {
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

/// The sidecars of a run with their steps, newest first.
pub(super) fn sidecars(run: &Path) -> Result<Vec<(u64, PathBuf)>, TrainError> {
    let mut found = step_files(run)?;
    found.retain(|(_, path)| path.extension().is_some_and(|extension| extension == "json"));
    found.reverse();
    Ok(found)
}

/// All files `checkpoints/step-N.*` with their steps, in the order of steps and names.
pub(super) fn step_files(run: &Path) -> Result<Vec<(u64, PathBuf)>, TrainError> {
    let folder = run.join("checkpoints");
    let failed = |e: io::Error| TrainError::File { path: folder.clone(), reason: e.to_string() };
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

pub(super) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// SHA-256, hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
