//! Studies: a file that names stages, axes and seeds, and becomes many runs.
//!
//! [`StudyFile`] is what the file says, [`Study`] the runs that follow from it at a scale, [`StudyFolder`] where they lie and
//! how far they are, and [`Queue`] what works them off, one process a run. [`slurm`] writes the same as jobs of a cluster.

mod axis;
mod entry;
mod error;
mod expand;
mod file;
mod fingerprint;
mod folder;
mod layout;
mod lock;
mod manifest;
mod owner;
mod packing;
mod prepare;
mod queue;
mod reason;
mod results;
mod run;
mod scale;
mod settings;
pub mod slurm;
mod stage;
mod study;

pub use entry::Entry;
pub use error::StudyError;
pub use file::{Measure, StudyFile};
pub use folder::{Standing, StudyFolder};
pub use lock::FolderLock;
pub use packing::{Slot, packed};
pub use prepare::Prepared;
pub use queue::{Ended, Halt, Queue, Report};
pub use stage::Stage;
pub use study::Study;
