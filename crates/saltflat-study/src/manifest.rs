//! The manifest of a study's folder.

use std::path::Path;

use saltflat_record::{Entry, MANIFEST, Manifest, SCHEMA};

use crate::{Study, StudyError, reserved::is_reserved};

/// The manifest of a study.
pub(crate) fn manifest_of(study: &Study) -> Manifest {
    Manifest {
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
pub(crate) fn read_manifest(root: &Path) -> Result<Manifest, StudyError> {
    let no_study = |reason: String| StudyError::NoStudy { folder: root.into(), reason };
    let manifest = Manifest::read(root).map_err(no_study)?;
    match manifest.runs.iter().find(|entry| !is_of_stage(entry)) {
        None => Ok(manifest),
        Some(Entry { name, .. }) => {
            Err(no_study(format!("{MANIFEST}: expected runs named STAGE/LABELS-sSEED, got {name:?}")))
        }
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
