//! `manifest.json`: what each run of a study is, and of which study the folder is.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{Entry, Study, StudyError, entry::is_reserved, folder::write};

/// Its name.
pub(crate) const MANIFEST: &str = "manifest.json";

/// Version of the manifest.
const SCHEMA: u32 = 1;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Manifest {
    schema: u32,
    pub(crate) study: String,
    /// The file that it was read from.
    pub(crate) file: PathBuf,
    pub(crate) scale: Option<String>,
    /// [`Study::settings_sha256`]; absent in manifests of before there was one.
    #[serde(default)]
    pub(crate) settings_sha256: Option<String>,
    pub(crate) runs: Vec<Entry>,
}

impl Manifest {
    pub(crate) fn of(study: &Study) -> Self {
        Self {
            schema: SCHEMA,
            study: study.source.study.name.clone(),
            file: std::path::absolute(&study.file).unwrap_or_else(|_| study.file.clone()),
            scale: study.scale.clone(),
            settings_sha256: Some(study.settings_sha256()),
            runs: study.entries.clone(),
        }
    }

    /// That of a folder.
    ///
    /// # Errors
    /// [`StudyError::NoStudy`] if there is none that can be read.
    pub(crate) fn read(root: &Path) -> Result<Self, StudyError> {
        let no_study = |reason: String| StudyError::NoStudy { folder: root.into(), reason };
        if root.join("metrics.jsonl").is_file() && !root.join(MANIFEST).exists() {
            let shown = root.display();
            return Err(no_study(format!(
                "it is the folder of a run; saltflat train --resume {shown} goes on with it"
            )));
        }
        let text =
            fs::read_to_string(root.join(MANIFEST)).map_err(|e| no_study(format!("{MANIFEST} cannot be read: {e}")))?;
        let manifest: Self = serde_json::from_str(&text).map_err(|e| no_study(format!("{MANIFEST}: {e}")))?;
        if manifest.schema != SCHEMA {
            return Err(no_study(format!("{MANIFEST}: expected schema {SCHEMA}, got {}", manifest.schema)));
        }
        let sound = |(i, entry): (usize, &Entry)| entry.index == i && entry.parent.is_none_or(|parent| parent < i);
        if !manifest.runs.iter().enumerate().all(sound) {
            return Err(no_study(format!("{MANIFEST}: its runs are not in order")));
        }
        if let Some(entry) = manifest.runs.iter().find(|entry| !is_of_stage(entry)) {
            let name = &entry.name;
            return Err(no_study(format!("{MANIFEST}: expected runs named STAGE/LABELS-sSEED, got {name:?}")));
        }
        Ok(manifest)
    }

    pub(crate) fn write(&self, root: &Path) -> Result<(), StudyError> {
        let path = root.join(MANIFEST);
        let text = serde_json::to_string_pretty(self)
            .map_err(|e| StudyError::File { path: path.clone(), reason: e.to_string() })?;
        write(&path, &(text + "\n"))
    }
}

/// Two plain parts, the stage first: what is read and removed lies in the folder, and not in one of the study's own.
fn is_of_stage(entry: &Entry) -> bool {
    let plain = |part: &str| {
        !part.is_empty()
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.+".contains(c))
            && !part.starts_with('.')
    };
    let parts: Vec<&str> = entry.name.split('/').collect();
    matches!(parts[..], [stage, run] if stage == entry.stage && !is_reserved(stage) && plain(stage) && plain(run))
}
