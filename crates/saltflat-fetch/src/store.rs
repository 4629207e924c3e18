//! The folder of a set, and what is still wanted there.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use saltflat_data::Published;
use saltflat_record::LockedFolder;

use crate::{error::FetchError, progress::Progress, sets::OfficialSet};

/// How long after one another the lock of another process is tried.
const PAUSE: Duration = Duration::from_millis(500);

/// The folder of a set, which this process alone writes to while it lives.
pub(crate) struct Store<'a> {
    pub set: &'a OfficialSet,
    pub folder: PathBuf,
    wanted: Vec<Published>,
    kept: Vec<Published>,
    _lock: LockedFolder,
}

impl<'a> Store<'a> {
    /// Makes the folder and waits until no other process fetches this set; what that one brought is not wanted any
    /// more.
    pub fn open(set: &'a OfficialSet, data: &Path, progress: &dyn Progress) -> Result<Self, FetchError> {
        let folder = set.folder(data);
        fs::create_dir_all(&folder).map_err(FetchError::at(&folder))?;
        let mut waiting = false;
        let lock = loop {
            if let Some(lock) = LockedFolder::take(&folder)? {
                break lock;
            }
            if !waiting {
                progress.message(&format!(
                    "another process is fetching {} into {}, waiting for it",
                    set.name,
                    folder.display()
                ));
            }
            waiting = true;
            thread::sleep(PAUSE);
        };
        Ok(Self { set, folder, wanted: wanted(set, data), kept: Vec::new(), _lock: lock })
    }

    /// Files that are missing or damaged.
    pub fn wanted(&self) -> &[Published] {
        &self.wanted
    }

    /// The wanted file with this name.
    pub fn wants(&self, name: &str) -> Option<Published> {
        self.wanted.iter().find(|file| file.name == name).copied()
    }

    /// Files that were brought.
    pub fn kept(&self) -> &[Published] {
        &self.kept
    }

    /// Keeps a file whose size and checksum are right; `from` is what a message calls it.
    pub fn keep(&mut self, file: Published, from: &str, content: &[u8]) -> Result<(), FetchError> {
        file.check(from, content)?;
        saltflat_record::write(&self.folder.join(file.name), content)?;
        self.wanted.retain(|wanted| wanted.name != file.name);
        self.kept.push(file);
        Ok(())
    }
}

/// Files that are missing or damaged where they would be read from.
pub(crate) fn wanted(set: &OfficialSet, data: &Path) -> Vec<Published> {
    let places = set.places(data);
    let is_there = |file: &Published| file.find(&places).is_some_and(|path| file.read(&path).is_ok());
    set.files.iter().filter(|file| !is_there(file)).copied().collect()
}
