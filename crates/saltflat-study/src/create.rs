//! Creates the folder of a study.

use std::{fs, io::ErrorKind, path::Path};

use saltflat_record::{Entry, FolderError, MANIFEST, read_text, write_if_changed};
use toml::{Table, Value};

use crate::{
    Study, StudyError,
    folder::{StudyFolder, config_path},
    layout::{self, Earlier, STUDY},
    lock::{FolderLock, LOCK},
    manifest::{manifest_of, read_manifest},
    owner,
};

impl StudyFolder {
    /// Writes the study's files into `root`, whose lock the caller holds, or checks that those that are there are the same.
    ///
    /// # Errors
    /// [`StudyError::Foreign`] if the folder is not that of this study, [`StudyError::NoStudy`] if an earlier version wrote two of
    /// its configurations into one file, [`StudyError::Changed`] if a run was made with another configuration,
    /// [`StudyError::File`] if the disk fails.
    pub fn create(root: &Path, study: &Study, _lock: &FolderLock) -> Result<Self, StudyError> {
        owner::check(root, study)?;
        let before = read_manifest(root).ok();
        let earlier = Earlier::of(before.as_ref().map_or(&[], |before| &before.runs));
        if let Some(reason) = earlier.ambiguity(root) {
            return Err(StudyError::NoStudy { folder: root.into(), reason });
        }
        for (entry, config) in study.entries.iter().zip(&study.configs) {
            let is_other = made_from(root, &earlier, entry)?.is_some_and(|old| old != *config);
            let run = root.join(&entry.name);
            if is_other && run.try_exists().map_err(StudyError::file(run))? {
                return Err(StudyError::Changed { folder: root.into(), run: entry.name.clone() });
            }
        }
        let manifest = manifest_of(study);
        // First, if there is none: from then on the folder is that of the study, also if this process is killed.
        if before.is_none() {
            manifest.write(root)?;
        }
        for stage in &study.source.stages {
            for folder in [root.join("configs"), root.join("logs"), root.into()] {
                let path = folder.join(&stage.name);
                fs::create_dir_all(&path).map_err(StudyError::file(&path))?;
            }
        }
        for (entry, config) in study.entries.iter().zip(&study.configs) {
            write_if_changed(&layout::config(root, &entry.name), config.as_bytes())?;
            if let Some(path) = earlier.config(root, &entry.name)
                && path.exists()
            {
                fs::remove_file(&path).map_err(StudyError::file(&path))?;
            }
        }
        let text = read_text(&study.file).map_err(StudyError::file(&study.file))?;
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
    /// [`StudyError::Foreign`] if it is not, [`StudyError::File`] if it cannot be read.
    pub fn check_owner(root: &Path, study: &Study) -> Result<(), StudyError> {
        match owner::check(root, study) {
            // Another process makes the folder just now: only who holds its lock knows.
            Err(StudyError::Foreign { .. }) if root.join(LOCK).exists() && !root.join(MANIFEST).exists() => Ok(()),
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
        Err(e) => return Err(StudyError::file(path)(e)),
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
