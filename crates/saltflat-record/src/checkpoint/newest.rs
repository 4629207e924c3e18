//! Which checkpoint of a run is the newest that can be used.

use std::{
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use super::{
    files::{STATE, WEIGHTS, file_name, sidecars},
    sidecar::Sidecar,
};
use crate::{error::FolderError, names::SCHEMA, read::read_if_there, sha256::sha256_hex};

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
