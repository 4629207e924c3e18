//! The folder of a study.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

use saltflat_folder::{RunState, is_taken, read_text, set_aside, take};
use serde::{Deserialize, Serialize};

use crate::{Entry, Study, StudyError, expand::is_reserved, results};

/// What stands in a log before the reason why a process ended.
pub(crate) const ENDED: &str = "# ended: ";

/// Version of the manifest.
const SCHEMA: u32 = 1;

/// `study.toml` (as it was given), `manifest.json` (what each run is), `configs/` (what each run is made from), a folder a run
/// under the name of its stage, `logs/` (what each run's process said).
#[derive(Clone, Debug)]
pub struct StudyFolder {
    root: PathBuf,
    manifest: Manifest,
    /// What a finished start lacks of its run's [`Entry::require`], by the run's number; asked again and again by a queue.
    lacking: RefCell<BTreeMap<usize, Option<String>>>,
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
    /// A run before it failed, diverged, or is blocked itself.
    Blocked,
    /// The run that it starts from is finished, and did not reach what the stage requires of it.
    Unmet,
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
        Ok(Self { root: root.into(), manifest, lacking: RefCell::default() })
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
        Ok(Self { root: root.into(), manifest, lacking: RefCell::default() })
    }

    /// Where it lies.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Its runs.
    pub fn entries(&self) -> &[Entry] {
        &self.manifest.runs
    }

    /// The run that a run starts from.
    pub fn parent(&self, entry: &Entry) -> Option<&Entry> {
        entry.parent.map(|parent| &self.entries()[parent])
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

    /// True where a run that is not done can be resumed. The folder of a run without a checkpoint makes room for one that starts
    /// anew: it is moved aside if it holds rows, which its process's log tells, and removed if not.
    ///
    /// # Errors
    /// [`StudyError::File`] where that cannot be done, and where it cannot be told what is in the folder: then nothing is changed.
    pub fn prepare(&self, entry: &Entry) -> Result<bool, StudyError> {
        let folder = self.run(entry);
        let checkpoints = folder.join("checkpoints");
        let has_checkpoint = match fs::read_dir(&checkpoints) {
            Ok(entries) => {
                let paths = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>();
                let paths = paths.map_err(StudyError::file(&checkpoints))?;
                paths.iter().any(|path| path.extension().is_some_and(|extension| extension == "json"))
            }
            Err(e) if e.kind() == ErrorKind::NotFound => false,
            Err(e) => return Err(StudyError::file(checkpoints)(e)),
        };
        if has_checkpoint || !folder.try_exists().map_err(StudyError::file(&folder))? {
            return Ok(has_checkpoint);
        }
        let rows = folder.join("metrics.jsonl");
        let has_rows = match fs::metadata(&rows) {
            Ok(found) => found.len() > 0,
            Err(e) if e.kind() == ErrorKind::NotFound => false,
            Err(e) => return Err(StudyError::file(rows)(e)),
        };
        if !has_rows {
            fs::remove_dir_all(&folder).map_err(StudyError::file(&folder))?;
            return Ok(false);
        }
        let place = set_aside(&folder).map_err(|e| StudyError::File { path: e.path, reason: e.reason })?;
        let path = self.log(entry);
        let mut log = OpenOptions::new().create(true).append(true).open(&path).map_err(StudyError::file(&path))?;
        let name = &entry.name;
        writeln!(log, "# {name} has rows and no checkpoint to go on from; its folder is now {}", place.display())
            .map_err(StudyError::file(path))?;
        Ok(false)
    }

    /// The log of a run's process, open for writing and locked, so that two studies never start one run at the same time; absent
    /// where another process holds it. The lock is held as long as anybody has this file open, also a process that writes to it
    /// and outlives the one that started it. On a file system that has no locks everybody gets it.
    ///
    /// # Errors
    /// [`StudyError::File`].
    pub fn claim(&self, entry: &Entry) -> Result<Option<File>, StudyError> {
        let path = self.log(entry);
        let file = OpenOptions::new().create(true).append(true).open(&path).map_err(StudyError::file(&path))?;
        // On Windows a lock keeps the process that inherits the file from writing to it.
        let taken = !cfg!(unix) || take(&file).map_err(StudyError::file(path))?;
        Ok(taken.then_some(file))
    }

    /// Why the process of a run ended that said nothing in its folder, as [`Queue`](crate::Queue) wrote it into its log; absent
    /// where another process was started since.
    pub fn ending(&self, entry: &Entry) -> Option<String> {
        let log = fs::read(self.log(entry)).ok()?;
        let log = String::from_utf8_lossy(&log);
        Some(log.lines().next_back()?.strip_prefix(ENDED)?.into())
    }

    /// Where a run stands; as running also before its process has made its folder.
    pub fn state(&self, entry: &Entry) -> RunState {
        match if cfg!(unix) { is_taken(&self.log(entry)) } else { Ok(false) } {
            Ok(true) => RunState::Running,
            Ok(false) => RunState::of(&self.run(entry)),
            Err(_) => RunState::Unreadable,
        }
    }

    /// How far a run is.
    pub fn standing(&self, entry: &Entry) -> Standing {
        // From the run to the first one before it that has begun. Not by recursion: a manifest may hold any chain.
        let chain = std::iter::successors(Some(entry), |entry| self.parent(entry));
        let mut waiting: Vec<&Entry> = Vec::new();
        let mut end = Standing::Ready;
        for before in chain {
            end = match self.state(before) {
                state @ (RunState::Finished | RunState::Diverged) => Standing::Done(state),
                RunState::Running => Standing::Running,
                RunState::Failed | RunState::Unreadable => Standing::Failed,
                RunState::Interrupted | RunState::Dead | RunState::None => {
                    waiting.push(before);
                    continue;
                }
            };
            break;
        }
        let Some(next) = waiting.last() else { return end };
        match (waiting.len(), end) {
            (waits, Standing::Done(RunState::Finished)) => match (waits, self.lacking(next).is_some()) {
                (1, false) => Standing::Ready,
                (1, true) => Standing::Unmet,
                (_, false) => Standing::Waiting,
                (_, true) => Standing::Blocked,
            },
            (1, Standing::Ready) => Standing::Ready,
            (_, Standing::Running | Standing::Ready) => Standing::Waiting,
            (_, Standing::Done(_) | Standing::Failed | Standing::Waiting | Standing::Blocked | Standing::Unmet) => {
                Standing::Blocked
            }
        }
    }

    /// What keeps a run from being started, if anything does.
    pub fn obstacle(&self, entry: &Entry) -> Option<String> {
        let parent = self.parent(entry)?;
        let name = &parent.name;
        match self.standing(entry) {
            Standing::Done(_) | Standing::Running | Standing::Ready | Standing::Failed => None,
            Standing::Waiting => Some(format!("the run that it starts from, {name}, is not done")),
            Standing::Unmet => self.lacking(entry),
            Standing::Blocked => Some(match self.state(parent) {
                RunState::Diverged => format!("the run that it starts from, {name}, diverged"),
                RunState::Failed => format!("the run that it starts from, {name}, failed"),
                RunState::Unreadable => {
                    format!("the folder of the run that it starts from, {name}, cannot be read")
                }
                _ => format!("the run that it starts from, {name}, cannot start"),
            }),
        }
    }

    /// What a finished start lacks of what its stage requires.
    fn lacking(&self, entry: &Entry) -> Option<String> {
        let parent = self.parent(entry).filter(|_| !entry.require.is_empty())?;
        let mut known = self.lacking.borrow_mut();
        let lacking = || {
            let lacking = results::lacking(&self.run(parent), &entry.require)?;
            Some(format!("{}: {lacking}, which stage.{}.require asks for", parent.name, entry.stage))
        };
        known.entry(entry.index).or_insert_with(lacking).clone()
    }

    /// The goal at which a run was to end (`train.stop_accuracy`, `train.stop_loss`), where it is finished without.
    pub fn missed_goal(&self, entry: &Entry) -> Option<String> {
        if self.state(entry) != RunState::Finished {
            return None;
        }
        results::missed_goal(&self.run(entry), &fs::read_to_string(self.config(entry)).ok()?)
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

fn config_of(root: &Path, entry: &Entry) -> PathBuf {
    root.join("configs").join(format!("{}.toml", entry.name.replace('/', "-")))
}

/// Written beside and renamed, so that a file is whole or not there.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), StudyError> {
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    saltflat_folder::write(path, text.as_bytes()).map_err(|e| StudyError::File { path: e.path, reason: e.reason })
}
