//! The folder of a study, and its lock.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

use saltflat_record::{Entry, FolderError, MANIFEST, Manifest, RunState, open_to_append, try_lock};

use crate::{
    StudyError,
    layout::{self, Earlier, is_reserved},
    prepare::{Prepared, prepare},
};

/// What stands in a log before the reason why a process ended.
pub(crate) const ENDED: &str = "# ended: ";

/// `study.toml` (as it was given), `manifest.json` (what each run is), `configs/STAGE/RUN.toml` (what each run is made from),
/// `STAGE/RUN` (the folder of each run), `logs/STAGE/RUN.log` (what each run's process said), `study.lock`.
#[derive(Clone, Debug)]
pub struct StudyFolder {
    root: PathBuf,
    manifest: Manifest,
    pub(crate) earlier: Earlier,
    /// What a finished start lacks of its run's [`Entry::require`], by the run's number; asked again and again by a queue.
    pub(crate) lacking: RefCell<BTreeMap<usize, Option<String>>>,
    /// The runs that are known to be finished or to have diverged, by their numbers: they stay so.
    pub(crate) done: RefCell<BTreeMap<usize, RunState>>,
}

impl StudyFolder {
    /// A study that was started before.
    ///
    /// # Errors
    /// [`StudyError::Unusable`].
    pub fn open(root: &Path) -> Result<Self, StudyError> {
        Self::with(root, read_manifest(root)?)
    }

    /// The folder of the study that a manifest tells.
    pub(crate) fn with(root: &Path, manifest: Manifest) -> Result<Self, StudyError> {
        let earlier = Earlier::of(&manifest.runs);
        earlier.check(root)?;
        Ok(Self { root: root.into(), manifest, earlier, lacking: RefCell::default(), done: RefCell::default() })
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

    /// [`Study::settings_sha256`](crate::Study::settings_sha256) of the study that it was expanded from, if its manifest says so.
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
        config_path(&self.root, &self.earlier, entry)
    }

    /// Where a run's process writes its messages.
    pub fn log(&self, entry: &Entry) -> PathBuf {
        layout::log(&self.root, &entry.name)
    }

    /// Makes the folder of a run that is not done ready for its process. One without a checkpoint is removed if it holds nothing but
    /// what a run writes before its first row, and moved aside if it holds anything else, which the log of the run's process tells.
    ///
    /// # Errors
    /// [`StudyError::File`] if that cannot be done, and if it cannot be told what is in the folder: then nothing is changed.
    pub fn prepare(&self, entry: &Entry) -> Result<Prepared, StudyError> {
        let prepared = prepare(&self.run(entry))?;
        if let Prepared::SetAside(place) = &prepared {
            let path = self.log(entry);
            let mut log = open_to_append(&path).map_err(FolderError::at(&path))?;
            let (name, place) = (&entry.name, place.display());
            writeln!(log, "# {name}: nothing to go on from; what was in its folder is now in {place}")
                .map_err(FolderError::at(path))?;
        }
        Ok(prepared)
    }

    /// The log of a run's process, open for writing and locked, so that two studies never start one run at the same time; absent
    /// if another process holds it. The lock is held as long as anybody has this file open, also a process that writes to it
    /// and outlives the one that started it. On a file system that has no locks everybody gets it.
    pub fn claim(&self, entry: &Entry) -> Result<Option<File>, StudyError> {
        let path = self.log(entry);
        // The folder may be gone since it was made, and a study that an earlier version began has none.
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(FolderError::at(folder))?;
        }
        let file = open_to_append(&path).map_err(FolderError::at(&path))?;
        // On Windows a lock keeps the process that inherits the file from writing to it.
        let is_claimed = !cfg!(unix) || try_lock(&file).map_err(FolderError::at(path))?;
        Ok(is_claimed.then_some(file))
    }

    /// Why the process of a run ended that said nothing in its folder, as [`Queue`](crate::Queue) wrote it into its log; absent
    /// if another process was started since.
    pub fn ending(&self, entry: &Entry) -> Option<String> {
        let earlier = || fs::read(self.earlier.log(&self.root, &entry.name)?).ok();
        let log = fs::read(self.log(entry)).ok().or_else(earlier)?;
        let log = String::from_utf8_lossy(&log);
        Some(log.lines().next_back()?.strip_prefix(ENDED)?.into())
    }
}

/// Path of the configuration of a run: the path that an earlier version wrote it to, if it is only there.
pub(crate) fn config_path(root: &Path, earlier: &Earlier, entry: &Entry) -> PathBuf {
    let path = layout::config(root, &entry.name);
    match earlier.config(root, &entry.name) {
        Some(earlier) if !path.exists() && earlier.exists() => earlier,
        _ => path,
    }
}

/// Its name. No stage can have it, because the name of a stage has no dots.
pub(crate) const LOCK: &str = "study.lock";

/// Held by the process that writes a study's own files: its manifest, configurations, job scripts and page. It is released when this
/// is dropped, and when the process ends. The runs have locks of their own.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Takes the lock of the folder, which is made if it does not exist. If another process holds it, `wait` is called again and again
    /// until that process is done; absent if it returns false. On a file system without locks everybody gets it.
    pub fn take(root: &Path, wait: &mut dyn FnMut() -> bool) -> Result<Option<Self>, StudyError> {
        fs::create_dir_all(root).map_err(FolderError::at(root))?;
        let path = root.join(LOCK);
        let file = open_to_append(&path).map_err(FolderError::at(&path))?;
        // Each attempt waits a while by itself.
        while !try_lock(&file).map_err(FolderError::at(&path))? {
            if !wait() {
                return Ok(None);
            }
        }
        Ok(Some(Self { _file: file }))
    }
}

/// The manifest of a folder.
pub(crate) fn read_manifest(root: &Path) -> Result<Manifest, StudyError> {
    let no_study = |reason| StudyError::Unusable(FolderError::new(root, format!("holds no study ({reason})")));
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
