//! The runs of a study.

use std::path::{Path, PathBuf};

use saltflat_config::Problems;

use crate::{Entry, StudyError, StudyFile, expand::expand, run::Runs};

/// The runs of a study at a scale.
#[derive(Clone, Debug)]
pub struct Study {
    /// Where it was read from.
    pub file: PathBuf,
    /// The file as written.
    pub source: StudyFile,
    /// The scale; absent: as the file says without one.
    pub scale: Option<String>,
    /// The runs, in an order in which they can be run.
    pub entries: Vec<Entry>,
    /// The configuration of each run.
    pub configs: Vec<String>,
    /// The configuration of each run before defaults are filled in.
    pub settings: Vec<String>,
}

impl Study {
    /// Expands a study at a scale (`paper` or nothing: as the file says).
    ///
    /// # Errors
    /// [`StudyError::Problems`] with everything that is wrong, also in the runs' configurations.
    pub fn new(source: StudyFile, file: &Path, scale: Option<&str>) -> Result<Self, StudyError> {
        let (study, problems) = Self::expanded(source, file, scale);
        if problems.is_empty() { Ok(study) } else { Err(StudyError::Problems { file: file.into(), problems }) }
    }

    /// As [`new`](Self::new), as far as the study can be expanded, with everything that is wrong: the runs of a stage with a problem, and of
    /// those that start from it, may be missing.
    pub fn expanded(source: StudyFile, file: &Path, scale: Option<&str>) -> (Self, Vec<String>) {
        let scale = scale.filter(|name| *name != "paper" || source.scale.contains_key("paper"));
        let problems = Problems::default();
        let Runs { entries, configs, settings } = expand(&source, file, scale, &problems);
        let study = Self { file: file.into(), scale: scale.map(Into::into), source, entries, configs, settings };
        (study, problems.take().iter().map(ToString::to_string).collect())
    }

    /// Name of the folder: that of the study, followed by the scale if there is one.
    pub fn name(&self) -> String {
        match &self.scale {
            Some(scale) => format!("{}-{scale}", self.source.study.name),
            None => self.source.study.name.clone(),
        }
    }
}
