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
    /// A path that was given is not what it should be: a study that can be read, a folder that holds a study, or one in which this
    /// study writes over nothing but its own files.
    #[error(transparent)]
    Unusable(FolderError),
    /// There is no such run.
    #[error("the study has {runs} runs, numbered from 0; there is no {task}")]
    NoTask {
        /// How many there are.
        runs: usize,
        /// The number that was asked for.
        task: usize,
    },
    /// A path that a job script cannot hold.
    #[error("{path:?}: expected {reason}, for a job script")]
    InScript {
        /// The path.
        path: PathBuf,
        /// What was expected.
        reason: &'static str,
    },
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FolderError),
    /// A run's process cannot be started.
    #[error("{0}")]
    Start(String),
}

impl StudyError {
    /// True if the person has to change what was given.
    pub fn is_bad_input(&self) -> bool {
        match self {
            Self::Problems { .. } | Self::Unusable(_) | Self::NoTask { .. } | Self::InScript { .. } => true,
            Self::File(_) | Self::Start(_) => false,
        }
    }
}
