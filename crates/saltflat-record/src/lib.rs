#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod atomic;
mod checkpoint;
mod environment;
mod error;
mod lock;
mod manifest;
pub mod metric;
mod names;
mod progress;
mod read;
mod row;
mod run;
mod sha256;
mod status;

pub use atomic::{is_temporary, open_to_append, remove_temporary, set_aside, write, write_if_changed, write_named};
pub use checkpoint::{
    NewestCheckpoint, STATE, Sidecar, WEIGHTS, remove_incomplete_checkpoints, save_checkpoint, vectors_path,
    weights_path,
};
pub use environment::{DataFile, Environment, GIT_REVISION, provenance};
pub use error::FolderError;
pub use lock::{AppendFile, LockedFolder, is_locked, try_lock};
pub use manifest::{Entry, Manifest};
pub use names::{CHECKPOINTS, CONFIG, ENVIRONMENT, LOCK, LOG, MANIFEST, METRICS, SCHEMA, STATUS, VECTORS};
pub use progress::{Best, Exact, Progress};
pub use read::{is_control, open_regular, read_if_there, read_regular, read_text};
pub use row::{
    EpochRow, Field, MeasurementRow, RecordedLoss, RecordedTrial, Row, TrialEnd, TrialMeasurement, TrialReader,
    complete_lines, entry, last_row, line, numbers, read_rows, std_error, trial_name, value,
};
pub use run::{RunRecord, RunState};
pub use sha256::{sha256_hex, sha256_of_file};
pub use status::{Status, now};
