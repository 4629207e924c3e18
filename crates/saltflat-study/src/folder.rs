//! The folder of a study.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fs::{self, File},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

use saltflat_record::{RunState, is_taken, open_to_append, read_text, take};
use toml::{Table, Value};

use crate::{
    Entry, FolderLock, Study, StudyError,
    layout::{self, Earlier},
    lock::LOCK,
    manifest::Manifest,
    owner,
    prepare::{Prepared, prepare},
    results,
};

/// What stands in a log before the reason why a process ended.
pub(crate) const ENDED: &str = "# ended: ";

/// `study.toml` (as it was given), `manifest.json` (what each run is), `configs/STAGE/RUN.toml` (what each run is made from),
/// `STAGE/RUN` (the folder of each run), `logs/STAGE/RUN.log` (what each run's process said), `study.lock`.
#[derive(Clone, Debug)]
pub struct StudyFolder {
    root: PathBuf,
    manifest: Manifest,
    earlier: Earlier,
    /// What a finished start lacks of its run's [`Entry::require`], by the run's number; asked again and again by a queue.
    lacking: RefCell<BTreeMap<usize, Option<String>>>,
    /// The runs that are known to be finished or to have diverged, by their numbers: they stay so.
    done: RefCell<BTreeMap<usize, RunState>>,
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
    /// Writes the study's files into `root`, whose lock the caller holds, or checks that those that are there are the same.
    ///
    /// # Errors
    /// [`StudyError::Foreign`] where the folder is not that of this study, [`StudyError::NoStudy`] where an earlier version wrote two of
    /// its configurations into one file, [`StudyError::Changed`] where a run was made with another configuration,
    /// [`StudyError::File`] where the disk fails.
    pub fn create(root: &Path, study: &Study, _lock: &FolderLock) -> Result<Self, StudyError> {
        owner::check(root, study)?;
        let before = Manifest::read(root).ok();
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
        let manifest = Manifest::of(study);
        // First, where there is none: from then on the folder is that of the study, also if this process is killed.
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
            write(&layout::config(root, &entry.name), config)?;
            if let Some(path) = earlier.config(root, &entry.name)
                && path.exists()
            {
                fs::remove_file(&path).map_err(StudyError::file(&path))?;
            }
        }
        let text = read_text(&study.file).map_err(StudyError::file(&study.file))?;
        write(&root.join("study.toml"), &text)?;
        manifest.write(root)?;
        Ok(Self { root: root.into(), manifest, earlier, lacking: RefCell::default(), done: RefCell::default() })
    }

    /// A study that was started before.
    ///
    /// # Errors
    /// [`StudyError::NoStudy`].
    pub fn open(root: &Path) -> Result<Self, StudyError> {
        let manifest = Manifest::read(root)?;
        let earlier = Earlier::of(&manifest.runs);
        match earlier.ambiguity(root) {
            Some(reason) => Err(StudyError::NoStudy { folder: root.into(), reason }),
            None => {
                Ok(Self { root: root.into(), manifest, earlier, lacking: RefCell::default(), done: RefCell::default() })
            }
        }
    }

    /// Checks, without writing anything, that a study may write into `root`: that it is empty, or the folder of this study.
    ///
    /// # Errors
    /// [`StudyError::Foreign`] where it is not, [`StudyError::File`] where it cannot be read.
    pub fn check_owner(root: &Path, study: &Study) -> Result<(), StudyError> {
        match owner::check(root, study) {
            // Another process makes the folder just now: only who holds its lock knows.
            Err(StudyError::Foreign { .. }) if root.join(LOCK).exists() && !root.join("manifest.json").exists() => {
                Ok(())
            }
            found => found,
        }
    }

    /// What is too long for the file system of `root`, a sentence each: the names of runs, and the paths in their folders.
    pub fn too_long(root: &Path, entries: &[Entry]) -> Vec<String> {
        layout::too_long(root, entries)
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
        config_of(&self.root, &self.earlier, entry)
    }

    /// Where a run's process writes what it says.
    pub fn log(&self, entry: &Entry) -> PathBuf {
        layout::log(&self.root, &entry.name)
    }

    /// Makes the folder of a run that is not done ready for its process. One without a checkpoint is removed if it holds nothing but
    /// what a run writes before its first row, and moved aside if it holds anything else, which the log of the run's process tells.
    ///
    /// # Errors
    /// [`StudyError::File`] where that cannot be done, and where it cannot be told what is in the folder: then nothing is changed.
    pub fn prepare(&self, entry: &Entry) -> Result<Prepared, StudyError> {
        let prepared = prepare(&self.run(entry))?;
        if let Prepared::SetAside(place) = &prepared {
            let path = self.log(entry);
            let mut log = open_to_append(&path).map_err(StudyError::file(&path))?;
            writeln!(
                log,
                "# {}: nothing to go on from; what was in its folder is now in {}",
                entry.name,
                place.display()
            )
            .map_err(StudyError::file(path))?;
        }
        Ok(prepared)
    }

    /// The log of a run's process, open for writing and locked, so that two studies never start one run at the same time; absent
    /// where another process holds it. The lock is held as long as anybody has this file open, also a process that writes to it
    /// and outlives the one that started it. On a file system that has no locks everybody gets it.
    ///
    /// # Errors
    /// [`StudyError::File`].
    pub fn claim(&self, entry: &Entry) -> Result<Option<File>, StudyError> {
        let path = self.log(entry);
        // The folder may be gone since it was made, and a study that an earlier version began has none.
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(StudyError::file(folder))?;
        }
        let file = open_to_append(&path).map_err(StudyError::file(&path))?;
        // On Windows a lock keeps the process that inherits the file from writing to it.
        let taken = !cfg!(unix) || take(&file).map_err(StudyError::file(path))?;
        Ok(taken.then_some(file))
    }

    /// Why the process of a run ended that said nothing in its folder, as [`Queue`](crate::Queue) wrote it into its log; absent
    /// where another process was started since.
    pub fn ending(&self, entry: &Entry) -> Option<String> {
        let earlier = || fs::read(self.earlier.log(&self.root, &entry.name)?).ok();
        let log = fs::read(self.log(entry)).ok().or_else(earlier)?;
        let log = String::from_utf8_lossy(&log);
        Some(log.lines().next_back()?.strip_prefix(ENDED)?.into())
    }

    /// Where a run stands; as running also before its process has made its folder.
    pub fn state(&self, entry: &Entry) -> RunState {
        if let Some(done) = self.done.borrow().get(&entry.index) {
            return *done;
        }
        // A log that cannot be opened says nothing about the run; whoever wants to start it fails at the claim.
        match cfg!(unix) && is_taken(&self.log(entry)).unwrap_or(false) {
            true => RunState::Running,
            false => self.state_of_claimed(entry),
        }
    }

    /// As [`state`](Self::state), for who holds the [claim](Self::claim) of the run: as its folder says.
    pub fn state_of_claimed(&self, entry: &Entry) -> RunState {
        let state = RunState::of(&self.run(entry));
        if matches!(state, RunState::Finished | RunState::Diverged) {
            self.done.borrow_mut().insert(entry.index, state);
        }
        state
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

/// The configuration of a run: where an earlier version wrote it, if it is there alone.
fn config_of(root: &Path, earlier: &Earlier, entry: &Entry) -> PathBuf {
    let path = layout::config(root, &entry.name);
    match earlier.config(root, &entry.name) {
        Some(earlier) if !path.exists() && earlier.exists() => earlier,
        _ => path,
    }
}

/// The configuration that a run was made from, if it is there, as it is written now.
fn made_from(root: &Path, earlier: &Earlier, entry: &Entry) -> Result<Option<String>, StudyError> {
    let path = config_of(root, earlier, entry);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(StudyError::file(path)(e)),
    };
    if path == layout::config(root, &entry.name) || entry.parent.is_none() {
        return Ok(Some(text));
    }
    // Its start is relative to the folder of the configuration, which was the one above.
    let damaged = |reason: String| StudyError::File { path: path.clone(), reason };
    let mut config: Table = text.parse().map_err(|e: toml::de::Error| damaged(e.to_string()))?;
    if let Some(Value::String(init)) = config.get_mut("train").and_then(|train| train.get_mut("init")) {
        init.insert_str(0, "../");
    }
    toml::to_string(&config).map(Some).map_err(|e| damaged(e.to_string()))
}

/// Written beside and renamed, so that a file is whole or not there.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), StudyError> {
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    saltflat_record::write(path, text.as_bytes()).map_err(|e| StudyError::File { path: e.path, reason: e.reason })
}
