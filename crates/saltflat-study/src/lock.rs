//! The lock of a study's folder.

use std::{
    fs::{self, File},
    path::Path,
};

use saltflat_record::{open_to_append, try_lock};

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
        let path = root.join(LOCK);
        let file = open_to_append(&path).map_err(StudyError::file(&path))?;
        // Each attempt waits a while by itself.
        while !try_lock(&file).map_err(StudyError::file(&path))? {
            if !wait() {
                return Ok(None);
            }
        }
        Ok(Some(Self { _file: file }))
    }
}
