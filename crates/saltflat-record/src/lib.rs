#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod atomic;
mod checkpoint;
mod environment;
mod error;
mod lock;
mod locked;
mod manifest;
pub mod metric;
mod names;
mod read;
mod row;
mod run;
mod sha256;
mod status;
mod temporary;
mod text;
mod time;

pub use atomic::{open_to_append, write, write_if_changed, write_named};
pub use checkpoint::{Best, NewestCheckpoint, Progress, STATE, Sidecar, WEIGHTS, save_checkpoint, weights_path};
pub use environment::{DataFile, Environment, RunEnvironment, provenance};
pub use error::FolderError;
pub use lock::{is_locked, lock, try_lock};
pub use locked::{AppendFile, LockedFolder};
pub use manifest::{Entry, Manifest};
pub use names::{CHECKPOINTS, CONFIG, ENVIRONMENT, LOCK, LOG, MANIFEST, METRICS, SCHEMA, STATUS};
pub use read::{open_regular, read_at_most, read_if_there, read_regular};
pub use row::{
    EpochRow, Field, MeasurementRow, RecordedLoss, RecordedTrial, Row, TrialEnd, TrialMeasurement, TrialReader,
    complete_lines, entry, last_row, line, numbers, read_rows, std_error, trial_name, value,
};
pub use run::RunRecord;
pub use sha256::{sha256_hex, sha256_of_file};
pub use status::{RunState, Status};
pub use temporary::{is_temporary, remove_temporary, set_aside};
pub use text::{is_control, read_text};
pub use time::now;
