//! What can be wrong with a lab.

use std::path::PathBuf;

use saltflat_record::FolderError;

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// There is no such lab.
    #[error("there is no lab {name}; expected one of {}", known.join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
        /// The labs that there are.
        known: Vec<&'static str>,
    },
    /// Everything that is wrong with the settings.
    #[error("{lab}: {}", lines(problems))]
    Settings {
        /// The lab.
        lab: &'static str,
        /// A line each, which begins with the key.
        problems: Vec<String>,
    },
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
    /// True where the person has to change what was given.
    pub fn is_bad_input(&self) -> bool {
        !matches!(self, Self::Folder(_))
    }
}

fn lines(problems: &[String]) -> String {
    match problems {
        [one] => one.clone(),
        many => format!("{} problems\n  {}", many.len(), many.join("\n  ")),
    }
}
