//! The folder of a study while the command works on it.

use std::{fs, path::Path};

use anyhow::Context;
use saltflat_study::{FolderLock, StudyError};

/// The lock of a study's folder; absent if `given_up` says so while another process holds it.
pub fn hold(root: &Path, given_up: &dyn Fn() -> bool) -> Result<Option<FolderLock>, StudyError> {
    let mut is_said = false;
    FolderLock::take(root, &mut || {
        if !is_said {
            errln!("{}: waits for another process, which prepares this study or writes its page", root.display());
        }
        is_said = true;
        !given_up()
    })
}

/// The text of a file.
pub fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| path.display().to_string())
}
