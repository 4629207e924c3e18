//! What can be wrong with a study.

use std::path::PathBuf;

use saltflat_config::problem_lines;
use saltflat_record::FolderError;

/// Why a study cannot be read or worked off.
#[derive(Debug, thiserror::Error)]
pub enum StudyError {
    /// Everything that is wrong with the file.
    #[error("{}: {}", file.display(), problem_lines(problems))]
    Problems {
        /// The study.
        file: PathBuf,
        /// A line each.
        problems: Vec<String>,
    },
    /// The folder holds runs of another version of the study.
    #[error(
        "{}: {run} was made with another configuration than the study has now. Give the study another name or --out, or remove that folder",
        folder.display()
    )]
    Changed {
        /// The study's folder.
        folder: PathBuf,
        /// The run's name.
        run: String,
    },
    /// The folder is not that of this study, whose files would be written over others.
    #[error("{}: {reason}", folder.display())]
    Foreign {
        /// The folder.
        folder: PathBuf,
        /// What it holds, and what can be done.
        reason: String,
    },
    /// The folder holds no study.
    #[error("{}: holds no study ({reason})", folder.display())]
    NoStudy {
        /// The folder.
        folder: PathBuf,
        /// What is missing.
        reason: String,
    },
    /// There is no such run.
    #[error("the study has {runs} runs, numbered from 0; there is no {task}")]
    NoTask {
        /// How many there are.
        runs: usize,
        /// The number that was asked for.
        task: usize,
    },
    /// There is no such study.
    #[error("{}: cannot be read: {reason}", path.display())]
    NotFound {
        /// The file.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// A file cannot be read or written.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// A path that a job script cannot hold.
    #[error("{path:?}: expected {reason}, for a job script")]
    InScript {
        /// The path.
        path: PathBuf,
        /// What was expected.
        reason: &'static str,
    },
    /// A run's process cannot be started.
    #[error("{run}: its process cannot be started: {reason}")]
    Start {
        /// The run's name.
        run: String,
        /// The system's words.
        reason: String,
    },
}

impl StudyError {
    /// True if the person has to change what was given.
    pub fn is_bad_input(&self) -> bool {
        matches!(
            self,
            Self::Problems { .. }
                | Self::Changed { .. }
                | Self::Foreign { .. }
                | Self::NoStudy { .. }
                | Self::NoTask { .. }
                | Self::NotFound { .. }
                | Self::InScript { .. }
        )
    }

    /// With the path that a system's error belongs to.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |e| Self::File { path, reason: e.to_string() }
    }
}

impl From<FolderError> for StudyError {
    fn from(FolderError { path, reason }: FolderError) -> Self {
        Self::File { path, reason }
    }
}
