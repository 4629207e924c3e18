//! Whose a folder is: a study writes into a folder of its own alone.

use std::{fs, path::Path};

use serde_json::Value;

use crate::{
    Study, StudyError,
    lock::LOCK,
    manifest::{MANIFEST, Manifest},
};

/// What a page of this program begins with.
const GENERATOR: &str = "<meta name=\"generator\" content=\"Saltflat";

/// Refuses a folder in which a study would write over files that are not its own: one that is not empty and has no manifest, and one of
/// another study. A folder is the same study's if its manifest names the study and the scale, and was made from the same file,
/// edited or not, or from a file elsewhere with the same content.
///
/// # Errors
/// [`StudyError::Foreign`], and [`StudyError::File`] if the folder cannot be listed.
pub(crate) fn check(root: &Path, study: &Study) -> Result<(), StudyError> {
    let foreign = |reason: String| StudyError::Foreign { folder: root.into(), reason };
    if root.exists() && !root.is_dir() {
        return Err(foreign("is no folder; choose another one with --out".into()));
    }
    if !root.join(MANIFEST).try_exists().map_err(StudyError::file(root))? {
        return match stranger(root, study)? {
            None => Ok(()),
            Some(name) => Err(foreign(format!(
                "holds files, such as {name}, and no study; choose another folder with --out, or empty this one"
            ))),
        };
    }
    let manifest = Manifest::read(root).map_err(|e| match e {
        StudyError::NoStudy { reason, .. } => {
            foreign(format!("holds no study ({reason}); choose another folder with --out"))
        }
        other => other,
    })?;
    let described = |name: &str, scale: Option<&str>, file: &Path| {
        let scale = scale.map_or(String::new(), |scale| format!(" at scale {scale}"));
        format!("study {name}{scale} of {}", file.display())
    };
    let is_named = manifest.study == study.source.study.name && manifest.scale == study.scale;
    if is_named && (is_same_file(&manifest.file, &study.file) || is_same_text(root, &study.file)) {
        return Ok(());
    }
    let here = described(&manifest.study, manifest.scale.as_deref(), &manifest.file);
    let other = described(&study.source.study.name, study.scale.as_deref(), &study.file);
    Err(foreign(format!(
        "is the folder of the {here}, and not of the {other}; choose another folder for this one with --out, or give it another \
         study.name (a study goes on from the same file, edited or not, and from a copy of the file with the same content)"
    )))
}

/// The name of something in a folder without a manifest that a study has not made. The page of the same study may be there alone,
/// as it is kept without the runs.
fn stranger(root: &Path, study: &Study) -> Result<Option<String>, StudyError> {
    let entries = match fs::read_dir(root) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(StudyError::file(root)(e)),
    };
    let has_page = is_page_of(root, study);
    let is_ours = |name: &str| match name {
        LOCK => true,
        "report.html" | "summary.json" | "figures" => has_page,
        // Of a process that was killed before the manifest had its name.
        _ => name.starts_with(MANIFEST) && name.ends_with(".tmp"),
    };
    for entry in entries {
        let name = entry.map_err(StudyError::file(root))?.file_name().to_string_lossy().into_owned();
        if !is_ours(&name) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// True if the page in a folder says that it was made from the study at this scale.
fn is_page_of(root: &Path, study: &Study) -> bool {
    let read = |name: &str| fs::read_to_string(root.join(name)).ok();
    let summary = read("summary.json").and_then(|text| serde_json::from_str::<Value>(&text).ok());
    let made_from = summary.as_ref().map(|summary| &summary["made_from"]);
    let is_of = |from: &Value| {
        from["study"].as_str() == Some(&study.source.study.name) && from["scale"].as_str() == study.scale.as_deref()
    };
    made_from.is_some_and(is_of) && read("report.html").is_none_or(|page| page.contains(GENERATOR))
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    match (fs::canonicalize(one), fs::canonicalize(other)) {
        (Ok(one), Ok(other)) => one == other,
        (_, _) => std::path::absolute(other).is_ok_and(|other| other == one),
    }
}

/// True if the study's file has the content of the copy in the folder.
fn is_same_text(root: &Path, file: &Path) -> bool {
    let copy = fs::read_to_string(root.join("study.toml"));
    copy.is_ok_and(|copy| saltflat_record::read_text(file).is_ok_and(|text| text == copy))
}
