//! `status.json`: how far a run is.

use std::{fs::OpenOptions, io::Write, path::Path};

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    atomic::{indented, write_checked},
    error::FolderError,
    lock::is_locked,
    names::{LOCK, SCHEMA, STATUS},
    read::read_if_there,
    time::now,
};

/// The content of `status.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Version of the layout.
    pub schema: u32,
    /// `running`, `finished`, `diverged`, `interrupted` or `failed`.
    pub status: String,
    /// Why it is so.
    pub reason: Option<String>,
    /// Steps made.
    pub step: u64,
    /// True if the run stopped so that it can be started again, as batch systems do.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
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

    /// Writes `status.json`. On a full disk, which has no room for a second file, the old one is written over in its place.
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
        let path = folder.join(STATUS);
        write_checked(&path, indented(&path, self)?.as_bytes(), check).or_else(|error| {
            check()?;
            let text = format!("{}\n", json!(self));
            let over = OpenOptions::new().write(true).open(&path).and_then(|mut file| {
                file.write_all(text.as_bytes())?;
                file.set_len(text.len() as u64)
            });
            over.map_err(|_| error)
        })
    }

    /// The status of a run folder; absent if there is definitely none, and if what is there is no status.
    ///
    /// # Errors
    /// [`FolderError`] if it is there and cannot be read.
    pub fn read(folder: &Path) -> Result<Option<Self>, FolderError> {
        let path = folder.join(STATUS);
        let bytes = read_if_there(&path).map_err(FolderError::at(path))?;
        Ok(bytes.and_then(|bytes| Self::parse(&bytes).ok()))
    }

    /// Reads the content of `status.json`, of which only the key `status` has to be there.
    ///
    /// # Errors
    /// What was expected.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, String> {
        let keys: Map<String, Value> =
            serde_json::from_slice(json).map_err(|e| format!("expected a JSON object: {e}"))?;
        let text = |key: &str| keys.get(key).and_then(Value::as_str).map(String::from);
        let count = |key: &str| keys.get(key).and_then(Value::as_u64).unwrap_or(0);
        Ok(Self {
            schema: u32::try_from(count("schema")).unwrap_or(0),
            status: text("status").ok_or("expected the key status with a text")?,
            reason: text("reason"),
            step: count("step"),
            requeue: keys.get("requeue").and_then(Value::as_bool).unwrap_or(false),
            at: text("at").unwrap_or_default(),
        })
    }
}

/// How far a run is, as its folder says.
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
    /// Its process ended without writing why; it can be resumed from its last checkpoint.
    Dead,
    /// No run: there is no folder, or no status in it.
    None,
    /// Its folder is there, or may be, and cannot be read now: nothing can be said of it, and nothing is to be done with it.
    Unreadable,
}

impl RunState {
    /// How far the run in this folder is now.
    pub fn of(folder: &Path) -> Self {
        // A resumed run says so only after it has read its checkpoint, hence the lock decides and not the status.
        let status = match is_locked(&folder.join(LOCK)) {
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
