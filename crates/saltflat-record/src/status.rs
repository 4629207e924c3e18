//! Where a run stands, as its folder says.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, ErrorKind, Write},
    path::Path,
    thread,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    FolderError, SCHEMA,
    file::{indented, write_checked},
    now, open_regular, open_to_append, read_if_there,
};

/// How often, and how long after one another, a lock is tried.
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(20);

/// `status.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Version of the layout.
    pub schema: u32,
    /// `running`, `finished`, `diverged`, `interrupted` or `failed`.
    pub status: String,
    /// Why it is so.
    pub reason: Option<String>,
    /// Steps made.
    pub step: u64,
    /// True where the run stopped so that it can be started again, as batch systems do.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub requeue: bool,
    /// Universal time, ISO 8601.
    pub at: String,
}

impl Status {
    /// A status of now.
    pub fn new(status: &str, reason: Option<&str>, step: u64) -> Self {
        let (status, reason, at) = (status.into(), reason.map(Into::into), now());
        Self { schema: SCHEMA, status, reason, step, requeue: false, at }
    }

    /// Writes `status.json`. On a full disk, where no second file has room, the old one is written over in its place.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn write(&self, folder: &Path) -> Result<(), FolderError> {
        self.write_by(folder, &|| Ok(()))
    }

    /// As [`write`](Self::write); `check` is asked before anything is written.
    pub(crate) fn write_by(
        &self,
        folder: &Path,
        check: &dyn Fn() -> Result<(), FolderError>,
    ) -> Result<(), FolderError> {
        let (path, value) = (folder.join("status.json"), json!(self));
        write_checked(&path, indented(&path, &value)?.as_bytes(), check).or_else(|error| {
            check()?;
            let text = format!("{value}\n");
            let over = OpenOptions::new().write(true).open(&path).and_then(|mut file| {
                file.write_all(text.as_bytes())?;
                file.set_len(text.len() as u64)
            });
            over.map_err(|_| error)
        })
    }

    /// The status of a run folder; absent where there is definitely none, and where what is there is no status.
    ///
    /// # Errors
    /// [`FolderError`] where it is there and cannot be read.
    pub fn read(folder: &Path) -> Result<Option<Self>, FolderError> {
        let path = folder.join("status.json");
        let bytes = read_if_there(&path).map_err(FolderError::at(path))?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// All its steps are made, or a goal was reached.
    Finished,
    /// The loss or a weight is not finite any more.
    Diverged,
    /// Saved, and asked to stop.
    Interrupted,
    /// Ended by an error.
    Failed,
    /// A process runs in it.
    Running,
    /// Its process ended without a word; it can be resumed from its last checkpoint.
    Dead,
    /// No run: there is no folder, or no status in it.
    None,
    /// Its folder is there, or may be, and cannot be read now: nothing can be said of it, and nothing is to be done with it.
    Unreadable,
}

impl RunState {
    /// Where the run in this folder stands now.
    pub fn of(folder: &Path) -> Self {
        // A resumed run says so only after it has read its checkpoint, hence the lock decides and not the status.
        let status = match is_taken(&folder.join("lock")) {
            Ok(true) => return Self::Running,
            Ok(false) => Status::read(folder),
            Err(_) => return Self::Unreadable,
        };
        match status {
            Err(_) => Self::Unreadable,
            Ok(None) => Self::None,
            Ok(Some(status)) => match status.status.as_str() {
                "finished" => Self::Finished,
                "diverged" => Self::Diverged,
                "interrupted" => Self::Interrupted,
                "failed" => Self::Failed,
                _ => Self::Dead,
            },
        }
    }
}

/// Takes the run's lock, which ends with its process; absent where another holds it. On a file system that has no locks
/// everybody gets it.
///
/// # Errors
/// [`FolderError`].
pub fn lock(folder: &Path) -> Result<Option<File>, FolderError> {
    let path = folder.join("lock");
    let failed = |e: io::Error| FolderError { path: path.clone(), reason: e.to_string() };
    let file = open_to_append(&path).map_err(failed)?;
    Ok(take(&file).map_err(failed)?.then_some(file))
}

/// Takes the lock of a file; false where another holds it. It is held as long as anybody has this file open, also a process
/// that inherited it. On a file system that has no locks everybody gets it.
///
/// # Errors
/// What the system says.
pub fn take(file: &File) -> io::Result<bool> {
    for attempt in 0.. {
        match file.try_lock() {
            Ok(()) => break,
            // Who looks where the run stands holds it for an instant.
            Err(TryLockError::WouldBlock) if attempt < ATTEMPTS => thread::sleep(PAUSE),
            Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(e)) if e.kind() == ErrorKind::Unsupported => break,
            Err(TryLockError::Error(e)) => return Err(e),
        }
    }
    Ok(true)
}

/// True where a process holds the lock of this file; false where there is definitely no such file, and on a file system that has
/// no locks.
///
/// # Errors
/// What the system says.
pub fn is_taken(path: &Path) -> io::Result<bool> {
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
