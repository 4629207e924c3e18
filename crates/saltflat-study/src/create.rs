//! Creates the folder of a study. A study writes into a folder of its own alone.

use std::{fs, io::ErrorKind, path::Path};

use saltflat_record::{Entry, FolderError, MANIFEST, Manifest, SCHEMA, read_text, remove_temporary, write_if_changed};
use serde_json::Value as Json;
use toml::{Table, Value};

use crate::{
    Study, StudyError,
    folder::{FolderLock, LOCK, StudyFolder, config_path, read_manifest},
    layout::{self, Earlier, STUDY},
};

impl StudyFolder {
    /// Writes the study's files into `root`, whose lock the caller holds, or checks that those that are there are the same.
    ///
    /// # Errors
    /// [`StudyError::Unusable`] if the folder is not that of this study, if an earlier version wrote two of its configurations into
    /// one file, or if a run was made with another configuration; [`StudyError::File`] if the disk fails.
    pub fn create(root: &Path, study: &Study, _lock: &FolderLock) -> Result<Self, StudyError> {
        check_is_own(root, study)?;
        let before = read_manifest(root).ok();
        let earlier = Earlier::of(before.as_ref().map_or(&[], |before| &before.runs));
        earlier.check(root)?;
        for (entry, config) in study.entries.iter().zip(&study.configs) {
            let is_other = made_from(root, &earlier, entry)?.is_some_and(|old| old != *config);
            let run = root.join(&entry.name);
            if is_other && run.try_exists().map_err(FolderError::at(run))? {
                let reason = format!(
                    "{} was made with another configuration than the study has now. Give the study another name or --out, or remove \
                     that folder",
                    entry.name
                );
                return Err(StudyError::Unusable(FolderError::new(root, reason)));
            }
        }
        // What processes that were killed while they wrote these files left.
        let configs = root.join("configs");
        let stages = fs::read_dir(&configs).into_iter().flatten().flatten().map(|entry| entry.path());
        stages.chain([root.into(), configs]).for_each(|folder| remove_temporary(&folder));
        let manifest = manifest_of(study);
        // First, if there is none: from then on the folder is that of the study, also if this process is killed.
        if before.is_none() {
            manifest.write(root)?;
        }
        for stage in &study.source.stages {
            for folder in [root.join("configs"), root.join("logs"), root.into()] {
                let path = folder.join(&stage.name);
                fs::create_dir_all(&path).map_err(FolderError::at(&path))?;
            }
        }
        for (entry, config) in study.entries.iter().zip(&study.configs) {
            write_if_changed(&layout::config(root, &entry.name), config.as_bytes())?;
            if let Some(path) = earlier.config(root, &entry.name)
                && path.exists()
            {
                fs::remove_file(&path).map_err(FolderError::at(&path))?;
            }
        }
        let text = read_text(&study.file).map_err(FolderError::at(&study.file))?;
        write_if_changed(&root.join(STUDY), text.as_bytes())?;
        manifest.write(root)?;
        let mut folder = Self::with(root, manifest)?;
        // Of the runs that were there before.
        folder.earlier = earlier;
        Ok(folder)
    }

    /// Checks, without writing anything, that a study may write into `root`: that it is empty, or the folder of this study.
    ///
    /// # Errors
    /// [`StudyError::Unusable`] if it is not, [`StudyError::File`] if it cannot be read.
    pub fn check_owner(root: &Path, study: &Study) -> Result<(), StudyError> {
        match check_is_own(root, study) {
            // Another process makes the folder just now: only who holds its lock knows.
            Err(StudyError::Unusable(_)) if root.join(LOCK).exists() && !root.join(MANIFEST).exists() => Ok(()),
            found => found,
        }
    }
}

/// The configuration that a run was made from, if it is there, as it is written now.
fn made_from(root: &Path, earlier: &Earlier, entry: &Entry) -> Result<Option<String>, StudyError> {
    let path = config_path(root, earlier, entry);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(FolderError::at(path)(e).into()),
    };
    if path == layout::config(root, &entry.name) || entry.parent.is_none() {
        return Ok(Some(text));
    }
    // Its start is relative to the folder of the configuration, which was the one above.
    let mut config: Table = text.parse().map_err(|e: toml::de::Error| FolderError::new(&path, e))?;
    if let Some(Value::String(init)) = config.get_mut("train").and_then(|train| train.get_mut("init")) {
        init.insert_str(0, "../");
    }
    Ok(Some(toml::to_string(&config).map_err(|e| FolderError::new(path, e))?))
}

/// The manifest of a study.
fn manifest_of(study: &Study) -> Manifest {
    Manifest {
        schema: SCHEMA,
        study: study.source.study.name.clone(),
        file: std::path::absolute(&study.file).unwrap_or_else(|_| study.file.clone()),
        scale: study.scale.clone(),
        settings_sha256: Some(study.settings_sha256()),
        runs: study.entries.clone(),
    }
}

/// What a page of this program begins with.
const GENERATOR: &str = "<meta name=\"generator\" content=\"Saltflat";

/// Refuses a folder in which a study would write over files that are not its own: one that is not empty and has no manifest, and one of
/// another study. A folder is the same study's if its manifest names the study and the scale, and was made from the same file,
/// edited or not, or from a file elsewhere with the same content.
fn check_is_own(root: &Path, study: &Study) -> Result<(), StudyError> {
    let foreign = |reason: String| StudyError::Unusable(FolderError::new(root, reason));
    if root.exists() && !root.is_dir() {
        return Err(foreign("is no folder; choose another one with --out".into()));
    }
    if !root.join(MANIFEST).try_exists().map_err(FolderError::at(root))? {
        return match stranger(root, study)? {
            None => Ok(()),
            Some(name) => Err(foreign(format!(
                "holds files, such as {name}, and no study; choose another folder with --out, or empty this one"
            ))),
        };
    }
    let manifest = read_manifest(root).map_err(|e| match e {
        StudyError::Unusable(e) => foreign(format!("{}; choose another folder with --out", e.reason)),
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
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(FolderError::at(root)(e).into()),
    };
    let has_page = is_page_of(root, study);
    let is_ours = |name: &str| match name {
        LOCK => true,
        "report.html" | "summary.json" | "figures" => has_page,
        // Of a process that was killed before the manifest had its name.
        _ => name.starts_with(MANIFEST) && name.ends_with(".tmp"),
    };
    for entry in entries {
        let name = entry.map_err(FolderError::at(root))?.file_name().to_string_lossy().into_owned();
        if !is_ours(&name) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// True if the page in a folder says that it was made from the study at this scale.
fn is_page_of(root: &Path, study: &Study) -> bool {
    let read = |name: &str| fs::read_to_string(root.join(name)).ok();
    let summary = read("summary.json").and_then(|text| serde_json::from_str::<Json>(&text).ok());
    let made_from = summary.as_ref().map(|summary| &summary["made_from"]);
    let is_of = |from: &Json| {
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
    let copy = fs::read_to_string(root.join(STUDY));
    copy.is_ok_and(|copy| read_text(file).is_ok_and(|text| text == copy))
}
