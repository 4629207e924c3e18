//! The lock of a study's folder.

use std::{fs, fs::File, path::Path};

use saltflat_record::{append, take};

use crate::StudyError;

/// Its name. No stage can have it, because the name of a stage has no dots.
pub(crate) const LOCK: &str = "study.lock";

/// Held by the process that writes a study's own files: its manifest, configurations, job scripts and page. It is released when this
/// is dropped, and when the process ends. The runs have locks of their own.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Takes the lock of the folder, which is made if it does not exist. If another process holds it, `wait` is called again and again
    /// until that process is done; absent if it returns false. On a file system without locks everybody gets it.
    ///
    /// # Errors
    /// [`StudyError::File`].
    pub fn take(root: &Path, wait: &mut dyn FnMut() -> bool) -> Result<Option<Self>, StudyError> {
        fs::create_dir_all(root).map_err(StudyError::file(root))?;
        let file = append(root, LOCK).map_err(|e| StudyError::File { path: e.path, reason: e.reason })?;
        // Each attempt waits a while by itself.
        while !take(&file).map_err(StudyError::file(root.join(LOCK)))? {
            if !wait() {
                return Ok(None);
            }
        }
        Ok(Some(Self { _file: file }))
    }
}
