//! The folder of a study.

use std::{
    fs,
    path::{Path, PathBuf},
};

use saltflat_folder::{RunState, read_text};
use serde::{Deserialize, Serialize};

use crate::{Entry, Study, StudyError, expand::RESERVED};

/// Version of the manifest.
const SCHEMA: u32 = 1;

/// `study.toml` (as it was given), `manifest.json` (what each run is), `configs/` (what each run is made from), a folder a run
/// under the name of its stage, `logs/` (what each run's process said).
#[derive(Clone, Debug)]
pub struct StudyFolder {
    root: PathBuf,
    manifest: Manifest,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Manifest {
    schema: u32,
    study: String,
    /// The file that it was read from.
    file: PathBuf,
    scale: Option<String>,
    /// [`Study::settings_sha256`]; absent in manifests of before there was one.
    #[serde(default)]
    settings_sha256: Option<String>,
    runs: Vec<Entry>,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It ended, or diverged, which is a result as well.
    Done(RunState),
    /// A process works on it.
    Running,
    /// It can be started, or resumed.
    Ready,
    /// It ended by an error.
    Failed,
    /// The run that it starts from is not done.
    Waiting,
    /// The run that it starts from failed, or diverged.
    Blocked,
}

impl StudyFolder {
    /// Writes the study's files into `root`, or checks that those that are there are the same.
    ///
    /// # Errors
    /// [`StudyError::Changed`] where a run was made with another configuration, [`StudyError::File`] where the disk fails.
    pub fn create(root: &Path, study: &Study) -> Result<Self, StudyError> {
        for (entry, config) in study.entries.iter().zip(&study.configs) {
            let old = fs::read_to_string(config_of(root, entry));
            if old.is_ok_and(|old| old != *config) && root.join(&entry.name).exists() {
                return Err(StudyError::Changed { folder: root.into(), run: entry.name.clone() });
            }
        }
        for folder in ["configs", "logs"].into_iter().chain(study.entries.iter().map(|entry| entry.stage.as_str())) {
            let path = root.join(folder);
            fs::create_dir_all(&path).map_err(StudyError::file(&path))?;
        }
        for (entry, config) in study.entries.iter().zip(&study.configs) {
            write(&config_of(root, entry), config)?;
        }
        let text = read_text(&study.file).map_err(StudyError::file(&study.file))?;
        write(&root.join("study.toml"), &text)?;
        let manifest = Manifest {
            schema: SCHEMA,
            study: study.source.study.name.clone(),
            file: std::path::absolute(&study.file).unwrap_or_else(|_| study.file.clone()),
            scale: study.scale.clone(),
            settings_sha256: Some(study.settings_sha256()),
            runs: study.entries.clone(),
        };
        let path = root.join("manifest.json");
        let text = serde_json::to_string_pretty(&manifest)
            .map_err(|e| StudyError::File { path: path.clone(), reason: e.to_string() })?;
        write(&path, &(text + "\n"))?;
        Ok(Self { root: root.into(), manifest })
    }

    /// A study that was started before.
    ///
    /// # Errors
    /// [`StudyError::NoStudy`].
    pub fn open(root: &Path) -> Result<Self, StudyError> {
        let no_study = |reason: String| StudyError::NoStudy { folder: root.into(), reason };
        if root.join("metrics.jsonl").is_file() && !root.join("manifest.json").exists() {
            let shown = root.display();
            return Err(no_study(format!(
                "it is the folder of a run; saltflat train --resume {shown} goes on with it"
            )));
        }
        let text = fs::read_to_string(root.join("manifest.json"))
            .map_err(|e| no_study(format!("manifest.json cannot be read: {e}")))?;
        let manifest: Manifest = serde_json::from_str(&text).map_err(|e| no_study(format!("manifest.json: {e}")))?;
        if manifest.schema != SCHEMA {
            return Err(no_study(format!("manifest.json: expected schema {SCHEMA}, got {}", manifest.schema)));
        }
        let sound = |(i, entry): (usize, &Entry)| entry.index == i && entry.parent.is_none_or(|parent| parent < i);
        if !manifest.runs.iter().enumerate().all(sound) {
            return Err(no_study("manifest.json: its runs are not in order".into()));
        }
        if let Some(entry) = manifest.runs.iter().find(|entry| !is_of_stage(entry)) {
            let name = &entry.name;
            return Err(no_study(format!("manifest.json: expected runs named STAGE/LABELS-sSEED, got {name:?}")));
        }
        Ok(Self { root: root.into(), manifest })
    }

    /// Where it lies.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Its runs.
    pub fn entries(&self) -> &[Entry] {
        &self.manifest.runs
    }

    /// The scale that it was expanded at.
    pub fn scale(&self) -> Option<&str> {
        self.manifest.scale.as_deref()
    }

    /// [`Study::settings_sha256`] of the study that it was expanded from, if its manifest says so.
    pub fn settings_sha256(&self) -> Option<&str> {
        self.manifest.settings_sha256.as_deref()
    }

    /// A run's number.
    ///
    /// # Errors
    /// [`StudyError::NoTask`].
    pub fn entry(&self, task: usize) -> Result<&Entry, StudyError> {
        self.entries().get(task).ok_or(StudyError::NoTask { runs: self.entries().len(), task })
    }

    /// A run's folder.
    pub fn run(&self, entry: &Entry) -> PathBuf {
        self.root.join(&entry.name)
    }

    /// A run's configuration.
    pub fn config(&self, entry: &Entry) -> PathBuf {
        config_of(&self.root, entry)
    }

    /// Where a run's process writes what it says.
    pub fn log(&self, entry: &Entry) -> PathBuf {
        self.root.join("logs").join(format!("{}.log", entry.name.replace('/', "-")))
    }

    /// True where a run that is not done can be resumed. A folder without a checkpoint is removed: there is nothing to go on from.
    ///
    /// # Errors
    /// [`StudyError::File`] where it cannot be removed.
    pub fn prepare(&self, entry: &Entry) -> Result<bool, StudyError> {
        let folder = self.run(entry);
        if !folder.exists() {
            return Ok(false);
        }
        let has_checkpoint = fs::read_dir(folder.join("checkpoints")).is_ok_and(|entries| {
            entries.flatten().any(|entry| entry.path().extension().is_some_and(|extension| extension == "json"))
        });
        if !has_checkpoint {
            fs::remove_dir_all(&folder).map_err(StudyError::file(&folder))?;
        }
        Ok(has_checkpoint)
    }

    /// How far a run is.
    pub fn standing(&self, entry: &Entry) -> Standing {
        // From the run to the first one before it that has begun. Not by recursion: a manifest may hold any chain.
        let before = |entry: &&Entry| entry.parent.map(|parent| &self.entries()[parent]);
        let mut chain = std::iter::successors(Some(entry), before).map(|entry| RunState::of(&self.run(entry)));
        let mut waits = 0_usize;
        let end = loop {
            match chain.next() {
                Some(state @ (RunState::Finished | RunState::Diverged)) => break Standing::Done(state),
                Some(RunState::Running) => break Standing::Running,
                Some(RunState::Failed) => break Standing::Failed,
                Some(RunState::Interrupted | RunState::Dead | RunState::None) => waits += 1,
                None => {
                    waits -= 1;
                    break Standing::Ready;
                }
            }
        };
        match (waits, end) {
            (0, end) => end,
            (1, Standing::Done(RunState::Finished)) => Standing::Ready,
            (_, Standing::Done(RunState::Finished) | Standing::Running | Standing::Ready) => Standing::Waiting,
            _ => Standing::Blocked,
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
    matches!(parts[..], [stage, run] if stage == entry.stage && !RESERVED.contains(&stage) && plain(stage) && plain(run))
}

fn config_of(root: &Path, entry: &Entry) -> PathBuf {
    root.join("configs").join(format!("{}.toml", entry.name.replace('/', "-")))
}

/// Written beside and renamed, so that a file is whole or not there.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), StudyError> {
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    let beside = path.with_extension("tmp");
    fs::write(&beside, text).and_then(|()| fs::rename(&beside, path)).map_err(StudyError::file(path))
}
