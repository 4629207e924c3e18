//! Studies: a file that names stages, axes and seeds, and becomes many runs.
//!
//! [`StudyFile`] is what the file says, [`Study`] the runs that follow from it at a scale, [`StudyFolder`] where they lie and
//! how far they are, and [`Queue`] what works them off, one process a run. [`slurm`] writes the same as jobs of a cluster.

mod create;
mod error;
mod expand;
mod file;
mod fingerprint;
mod folder;
mod keys;
mod layout;
mod lock;
mod manifest;
mod owner;
mod packing;
mod prepare;
mod process;
mod queue;
mod reason;
mod results;
mod settings;
pub mod slurm;
mod standing;

pub use error::StudyError;
pub use expand::Study;
pub use file::{Measure, Stage, StudyFile};
pub use folder::StudyFolder;
pub use layout::too_long;
pub use lock::FolderLock;
pub use packing::{Slot, packed};
pub use prepare::Prepared;
pub use process::{Ended, Halt};
pub use queue::{Queue, Report};
pub use saltflat_record::Entry;
pub use standing::Standing;
