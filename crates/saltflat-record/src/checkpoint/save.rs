//! Writes checkpoints, and removes the older ones.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    files::{SIDECAR, STATE, WEIGHTS, file_name, sidecars, stem, step_files},
    sidecar::Sidecar,
};
use crate::{
    atomic::{indented, write_checked},
    error::FolderError,
    locked::LockedFolder,
    sha256::sha256_hex,
};

/// Writes the weights, the state and at last the sidecar with their checksums. Then removes the checkpoints before it that are neither among
/// the `keep` newest, this one included, nor at the step `best`; without `keep` all stay. If the folder is locked, it is checked before
/// each file is written or removed. Returns the weights' path.
///
/// # Errors
/// [`FolderError`].
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
