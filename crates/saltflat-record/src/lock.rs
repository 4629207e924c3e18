//! Locks of files, which end with the process that holds them.

use std::{
    fs::{File, TryLockError},
    io::{self, ErrorKind},
    path::Path,
    thread,
    time::Duration,
};

use crate::{atomic::open_to_append, error::FolderError, names::LOCK, read::open_regular};

/// How often, and how long after one another, a lock is tried.
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(20);

/// Takes the lock of a folder, which ends with the process; absent if another process holds it. On a file system that has no locks
/// everybody gets it.
///
/// # Errors
/// [`FolderError`].
pub fn lock(folder: &Path) -> Result<Option<File>, FolderError> {
    let path = folder.join(LOCK);
    let locked = open_to_append(&path).and_then(|file| Ok(try_lock(&file)?.then_some(file)));
    locked.map_err(FolderError::at(path))
}

/// Takes the lock of a file, for which it waits a while; false if another process holds it. It is held as long as any process has this
/// file open, also one that inherited it. On a file system that has no locks everybody gets it.
///
/// # Errors
/// What the system says.
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
///
/// # Errors
/// What the system says.
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
