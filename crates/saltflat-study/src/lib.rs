#![doc = include_str!("../README.md")]

mod axis;
mod create;
mod error;
mod expand;
mod file;
mod folder;
mod layout;
mod packing;
mod prepare;
mod process;
mod queue;
mod run;
pub mod slurm;
mod stage;
mod standing;
mod study;

pub use error::StudyError;
pub use file::{Measure, StudyFile};
pub use folder::{FolderLock, StudyFolder};
pub use layout::path_problems;
pub use packing::{Slot, predicted_times};
pub use prepare::Prepared;
pub use process::{RunEnd, StopRequest};
pub use queue::{Queue, QueueObserver};
pub use saltflat_record::Entry;
pub use stage::Stage;
pub use standing::Standing;
pub use study::Study;
