//! The runs of a study, and its fingerprint, by which a page can be told from that of an earlier version of the study.

use std::path::{Path, PathBuf};

use saltflat_config::Problems;
use saltflat_record::sha256_hex;
use serde_json::json;

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

impl Study {
    /// SHA-256 of what determines the runs: their names, labels, seeds and starts, and the keys that the study sets in each of their
    /// configurations. Comments, keys that are at their defaults and other scales are no part of it.
    pub fn settings_sha256(&self) -> String {
        let run = |(run, settings): (&Entry, &String)| {
            json!([run.name, run.stage, run.labels, run.seed, run.parent, settings])
        };
        let runs: Vec<_> = self.entries.iter().zip(&self.settings).map(run).collect();
        sha256_hex(json!(runs).to_string().as_bytes())
    }
}

impl StudyFile {
    /// SHA-256 of what determines the page: the runs by [`Study::settings_sha256`], and this file's title, text, baseline and
    /// figures.
    pub fn page_sha256(&self, settings_sha256: &str) -> String {
        let study = &self.study;
        let page = json!([settings_sha256, study.name, study.title, study.text, study.baseline, self.figures]);
        sha256_hex(page.to_string().as_bytes())
    }
}
