//! What can be wrong with a lab.

use std::path::PathBuf;

use saltflat_config::{Problem, problem_lines};
use saltflat_record::FolderError;

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // The fields are what the messages show.
pub enum LabError {
    /// There is no such lab.
    #[error("there is no lab {name}; expected one of {}", known.join(", "))]
    Unknown { name: String, known: Vec<&'static str> },
    /// Everything that is wrong with the settings.
    #[error("{lab}: {}", problem_lines(problems))]
    Settings { lab: &'static str, problems: Vec<Problem> },
    /// The folder holds something else.
    #[error("{}: holds another lab, the same with other settings, or something else. Choose another folder with --out, or remove it", .0.display())]
    Changed(PathBuf),
    /// Another process works in the folder.
    #[error("{} is in use: another process holds {}", .0.display(), .0.join("lock").display())]
    Locked(PathBuf),
    /// The disk failed.
    #[error(transparent)]
    Folder(#[from] FolderError),
}

impl LabError {
    /// True if the user has to change what was given.
    pub fn is_bad_input(&self) -> bool {
        !matches!(self, Self::Folder(_))
    }
}
