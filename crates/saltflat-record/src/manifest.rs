//! `manifest.json`: what each run of a study is, and of which study the folder is.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    atomic::write_if_changed,
    error::FolderError,
    names::{MANIFEST, METRICS, SCHEMA},
};

/// The content of `manifest.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the manifest.
    pub schema: u32,
    /// Name of the study.
    pub study: String,
    /// The file that it was read from.
    pub file: PathBuf,
    /// The scale that it was expanded at.
    pub scale: Option<String>,
    /// SHA-256 of what determines the runs; absent in manifests of before there was one.
    #[serde(default)]
    pub settings_sha256: Option<String>,
    /// Its runs, in order.
    pub runs: Vec<Entry>,
}

/// A run of a study.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number, from 0; a run that it starts from has a smaller one.
    pub index: usize,
    /// Its folder within the study's: `STAGE/LABELS-sSEED`.
    pub name: String,
    /// Its stage.
    pub stage: String,
    /// What it is among the others: a label an axis.
    pub labels: BTreeMap<String, String>,
    /// Its seed.
    pub seed: u64,
    /// The run whose final weights it starts from.
    pub parent: Option<usize>,
    /// The weights that it starts from if they are not of this study, as the study writes their path: a file or the folder of a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// What that run's last measurement must have reached, by the names of the metrics.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub require: BTreeMap<String, f64>,
}

impl Manifest {
    /// That of a study's folder.
    ///
    /// # Errors
    /// Why there is none that can be read.
    pub fn read(folder: &Path) -> Result<Self, String> {
        if folder.join(METRICS).is_file() && !folder.join(MANIFEST).exists() {
            let shown = folder.display();
            return Err(format!("it is the folder of a run; saltflat train --resume {shown} goes on with it"));
        }
        let text = fs::read_to_string(folder.join(MANIFEST)).map_err(|e| format!("{MANIFEST} cannot be read: {e}"))?;
        let manifest: Self = serde_json::from_str(&text).map_err(|e| format!("{MANIFEST}: {e}"))?;
        if manifest.schema != SCHEMA {
            return Err(format!("{MANIFEST}: expected schema {SCHEMA}, got {}", manifest.schema));
        }
        let sound = |(i, entry): (usize, &Entry)| entry.index == i && entry.parent.is_none_or(|parent| parent < i);
        match manifest.runs.iter().enumerate().all(sound) {
            true => Ok(manifest),
            false => Err(format!("{MANIFEST}: its runs are not in order")),
        }
    }

    /// Writes it, unless it is there already.
    pub fn write(&self, folder: &Path) -> Result<(), FolderError> {
        let path = folder.join(MANIFEST);
        let text = serde_json::to_string_pretty(self).map_err(|e| FolderError::new(&path, e))?;
        write_if_changed(&path, (text + "\n").as_bytes())
    }
}
