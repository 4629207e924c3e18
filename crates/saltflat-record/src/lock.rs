//! Locks of files, which end with the process that holds them, and folders that this process alone writes in.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use serde::Serialize;
use serde_json::json;

use crate::{
    atomic::{indented, open_to_append, write_checked},
    error::FolderError,
    names::{LOCK, STATUS},
    read::open_regular,
    status::Status,
};

/// How often, and how long after one another, a lock is tried.
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(20);

/// Takes the lock of a file, for which it waits a while; false if another process holds it. It is held as long as any process has this
/// file open, also one that inherited it. On a file system that has no locks everybody gets it.
pub fn try_lock(file: &File) -> io::Result<bool> {
    for attempt in 0.. {
        match file.try_lock() {
            Ok(()) => break,
            // A process that asks whether the file is locked holds the lock for an instant.
            Err(TryLockError::WouldBlock) if attempt < ATTEMPTS => thread::sleep(PAUSE),
            Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(e)) if e.kind() == ErrorKind::Unsupported => break,
            Err(TryLockError::Error(e)) => return Err(e),
        }
    }
    Ok(true)
}

/// True if a process holds the lock of this file; false if there is definitely no such file, and on a file system that has no locks.
pub fn is_locked(path: &Path) -> io::Result<bool> {
    let file = match open_regular(path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(e),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(e)) if e.kind() == ErrorKind::Unsupported => Ok(false),
        Err(TryLockError::Error(e)) => Err(e),
    }
}

/// A folder whose lock this process holds while this lives. A folder can be removed or renamed all the same, and another process
/// can make a new one in its place: each method here looks first whether the lock in the folder is still the file that is held,
/// and fails if not, so that nothing of the other process's is written over.
#[derive(Debug)]
pub struct LockedFolder {
    root: PathBuf,
    lock: File,
}

impl LockedFolder {
    /// Takes the lock; absent if another process holds it. On a file system that has no locks everybody gets it.
    pub fn take(root: &Path) -> Result<Option<Self>, FolderError> {
        let path = root.join(LOCK);
        let locked = open_to_append(&path).and_then(|file| Ok(try_lock(&file)?.then_some(file)));
        Ok(locked.map_err(FolderError::at(path))?.map(|lock| Self { root: root.into(), lock }))
    }

    /// Where it lies.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Looks whether the folder at this place is still the one whose lock is held.
    ///
    /// # Errors
    /// [`FolderError`] if it was removed or replaced, or cannot be looked at.
    pub fn check(&self) -> Result<(), FolderError> {
        let path = self.root.join(LOCK);
        let happened = match is_same(&self.lock, &path) {
            Ok(true) => return Ok(()),
            Ok(false) => "the folder was removed and made again by another process",
            Err(e) if e.kind() == ErrorKind::NotFound => "the folder was removed or renamed, or its disk is gone",
            Err(e) => return Err(FolderError::at(path)(e)),
        };
        let reason = format!("{happened}, while this process was writing in it; nothing more is written");
        Err(FolderError { path: self.root.clone(), reason })
    }

    /// [Writes](crate::write()) a file in the folder, which is checked before, and again before the file takes its name. `name` may lead
    /// into a folder within.
    pub fn write(&self, name: impl AsRef<Path>, bytes: &[u8]) -> Result<(), FolderError> {
        write_checked(&self.root.join(name), bytes, &|| self.check())
    }

    /// Writes indented JSON, with the keys in alphabetical order.
    pub fn write_json(&self, name: impl AsRef<Path>, value: &impl Serialize) -> Result<(), FolderError> {
        self.write(&name, indented(name.as_ref(), value)?.as_bytes())
    }

    /// Writes `status.json`. On a full disk, which has no room for a second file, the old one is written over in its place.
    pub fn status(&self, status: &Status) -> Result<(), FolderError> {
        self.write_json(STATUS, status).or_else(|error| {
            self.check()?;
            let text = format!("{}\n", json!(status));
            let over = OpenOptions::new().write(true).open(self.root.join(STATUS)).and_then(|mut file| {
                file.write_all(text.as_bytes())?;
                file.set_len(text.len() as u64)
            });
            over.map_err(|_| error)
        })
    }

    /// Opens a file in the folder to append to it.
    pub fn append(&self, name: &str) -> Result<AppendFile, FolderError> {
        self.check()?;
        let path = self.root.join(name);
        match open_to_append(&path) {
            Ok(file) => Ok(AppendFile { path, file }),
            Err(e) => Err(FolderError::at(path)(e)),
        }
    }
}

/// A file of a [`LockedFolder`] that is only appended to.
#[derive(Debug)]
pub struct AppendFile {
    path: PathBuf,
    file: File,
}

impl AppendFile {
    /// Appends a text, if the folder is still the one whose lock is held: a file that was removed can be written to, but nobody would
    /// find it.
    pub fn append(&self, folder: &LockedFolder, text: &str) -> Result<(), FolderError> {
        folder.check()?;
        (&self.file).write_all(text.as_bytes()).map_err(FolderError::at(&self.path))
    }

    /// Flushes what was appended to disk.
    pub fn sync(&self) -> Result<(), FolderError> {
        self.file.sync_all().map_err(FolderError::at(&self.path))
    }
}

/// Whether an open file is the one at this path. The number of an open file is not given to another one.
#[cfg(unix)]
fn is_same(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let [held, found] = [file.metadata()?, std::fs::metadata(path)?].map(|found| (found.dev(), found.ino()));
    Ok(held == found)
}

/// Elsewhere a folder with an open file in it cannot be removed or renamed.
#[cfg(not(unix))]
fn is_same(_: &File, path: &Path) -> io::Result<bool> {
    std::fs::metadata(path).map(|_| true)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A folder that was renamed, and one that another process made in its place: not a byte is written there.
    #[test]
    #[cfg(unix)]
    fn a_replaced_folder_is_not_written_in() {
        let place = tempfile::tempdir().unwrap();
        let [root, moved] = ["run", "moved"].map(|name| place.path().join(name));
        fs::create_dir(&root).unwrap();
        let ours = LockedFolder::take(&root).unwrap().unwrap();
        assert!(LockedFolder::take(&root).unwrap().is_none());
        let all = |folder: &LockedFolder| {
            [
                folder.write("a", b"a").err(),
                folder.write_json("b", &()).err(),
                folder.status(&Status::new("running", None, 1)).err(),
                folder.append("c").err(),
            ]
            .map(|error| error.map(|error| error.to_string()))
        };
        assert_eq!(all(&ours), [const { None }; 4]);
        fs::rename(&root, &moved).unwrap();
        for said in all(&ours) {
            assert!(said.unwrap().contains("run: the folder was removed or renamed"));
        }
        fs::create_dir(&root).unwrap();
        let theirs = LockedFolder::take(&root).unwrap().unwrap();
        for said in all(&ours) {
            assert!(said.unwrap().contains("run: the folder was removed and made again"));
        }
        assert_eq!(fs::read_dir(&root).unwrap().count(), 1, "the lock alone");
        theirs.check().unwrap();
        // One that is put back is the old one again.
        fs::remove_dir_all(&root).unwrap();
        fs::rename(&moved, &root).unwrap();
        ours.check().unwrap();
    }
}
