//! The error of a file.

use std::{io, path::PathBuf};

/// A file of a folder cannot be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {reason}", path = path.display())]
pub struct FolderError {
    /// The file.
    pub path: PathBuf,
    /// What the system says.
    pub reason: String,
}

impl FolderError {
    /// Adds the path to an error of the system.
    pub fn at(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |e| Self { path, reason: e.to_string() }
    }

    /// An error about what is in a file.
    pub fn new(path: impl Into<PathBuf>, reason: impl ToString) -> Self {
        Self { path: path.into(), reason: reason.to_string() }
    }
}
