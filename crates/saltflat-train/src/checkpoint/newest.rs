//! Which checkpoint of a run is the newest that can be used.

use std::{
    fs,
    path::{Path, PathBuf},
};

use saltflat_folder::SCHEMA;
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
    pub(super) fn of(run: &Path, fits: impl Fn(&Sidecar) -> Result<(), String>) -> Result<Self, TrainError> {
        let mut skipped = Vec::new();
        for (_, path) in sidecars(run)? {
            match whole(&path).and_then(|sidecar| fits(&sidecar).map(|()| sidecar)) {
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
    if sidecar.checksum() != sidecar.sha256 {
        return Err("its sidecar does not have the SHA-256 that was saved with it".into());
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
pub(super) fn sidecars(run: &Path) -> Result<Vec<(u64, PathBuf)>, TrainError> {
    let mut found = step_files(run)?;
    found.retain(|(_, path)| path.extension().is_some_and(|extension| extension == "json"));
    found.reverse();
    Ok(found)
}

/// All files `checkpoints/step-N.*` with their steps, in the order of steps and names.
pub(super) fn step_files(run: &Path) -> Result<Vec<(u64, PathBuf)>, TrainError> {
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

pub(super) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// SHA-256, hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
