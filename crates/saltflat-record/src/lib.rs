//! The record of a run on disk: its files, their types, and how they are written and read.
//!
//! | file | content | type |
//! | --- | --- | --- |
//! | `config.toml` | the resolved configuration | TOML |
//! | `env.json` | version, device, precision, checksums of the data | [`Environment`] |
//! | `status.json` | how far the run is and why it ended | [`Status`] |
//! | `metrics.jsonl` | epochs and measurements, one a line | [`Row`]; written as [`EpochRow`], [`MeasurementRow`], [`TrialEnd`] |
//! | `log.txt` | messages with the time | text |
//! | `checkpoints/step-N.*` | weights, state, and a sidecar with their checksums | [`Sidecar`] |
//! | `lock` | locked by the process that writes in the folder | |
//! | `manifest.json` | the runs of a study, in the study's folder | [`Manifest`] |
//!
//! Start with [`RunRecord::read`] to read a run, and with [`LockedFolder`] to write one. A file is [written](write()) completely or not at
//! all, or is only [appended to](AppendFile); a process that was killed leaves at most a last line that was cut off, which the readers
//! leave out. Readers keep names that they do not know, so that they can read the records of later versions.
//!
//! ```
//! use saltflat_record::{CONFIG, ENVIRONMENT, EpochRow, LockedFolder, METRICS, RunRecord, Status, line, provenance, value};
//!
//! let place = tempfile::tempdir()?;
//! let root = place.path().join("run");
//! std::fs::create_dir(&root)?;
//! let folder = LockedFolder::take(&root)?.ok_or("another process writes in the folder")?;
//! folder.write(CONFIG, b"[run]\nname = \"example\"\n")?;
//! folder.write_json(ENVIRONMENT, &provenance())?;
//! let mut metrics = folder.append(METRICS)?;
//! for epoch in 1..=3 {
//!     let (running_accuracy, noise_sq) = (None, None);
//!     let row = EpochRow { epoch, step: 10 * epoch, lr: 0.1, running_loss: 1.0 / epoch as f64, running_accuracy, noise_sq, noise_steps: 0 };
//!     metrics.append(&folder, &line("epoch", &row)?)?;
//! }
//! folder.status(&Status::new("finished", Some("30 steps"), 30))?;
//!
//! let run = RunRecord::read(&root)?;
//! run.check_end()?;
//! assert_eq!((run.status.status.as_str(), run.epochs.len()), ("finished", 3));
//! assert_eq!(value(&run.epochs[1], "running_loss"), Some(0.5));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

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
