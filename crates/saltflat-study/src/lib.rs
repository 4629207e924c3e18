//! Studies: a file that names stages, axes and seeds, and becomes many runs.
//!
//! Start with [`StudyFile::read`], which reads the file, and [`Study::new`], which expands it at a scale into its runs, each an [`Entry`]
//! with a configuration. [`StudyFolder::create`] writes them into a folder:
//!
//! | file | content |
//! | --- | --- |
//! | `study.toml` | the study as it was given |
//! | `manifest.json` | what each run is |
//! | `configs/STAGE/RUN.toml` | what each run is made from |
//! | `STAGE/RUN/` | the [record](saltflat_record) of each run |
//! | `logs/STAGE/RUN.log` | messages of each run's process |
//! | `slurm/` | job scripts, if they were asked for |
//! | `study.lock` | locked by the process that writes these files, but not by those of the runs |
//!
//! [`StudyFolder::standing`] says how far each run is. [`Queue`] works the runs off, one process a run, each started when the run that it
//! starts from is done; [`slurm`] writes the same as jobs of a cluster. [`packed`] predicts when each run would run.
//!
//! ```
//! use saltflat_study::{FolderLock, Standing, Study, StudyFile, StudyFolder};
//!
//! let place = tempfile::tempdir()?;
//! let file = place.path().join("rates.toml");
//! let text = r#"
//!     [study]
//!     name = "rates"
//!     [base]
//!     data.kind = "mnist-1k"
//!     model = { kind = "mlp", hidden = [8] }
//!     loss.kind = "cross_entropy"
//!     noise = { kind = "label-flip", probability = 0.2 }
//!     optimizer = { lr = 0.1, batch_size = 100 }
//!     train.epochs = 2
//!     [[stage]]
//!     name = "escape"
//!     seeds = [0, 1]
//!     [[stage.axis]]
//!     name = "lr"
//!     key = "optimizer.lr"
//!     values = [0.1, 0.2]
//! "#;
//! std::fs::write(&file, text)?;
//! let study = Study::new(StudyFile::read(&file)?, &file, None)?;
//!
//! let root = place.path().join("rates");
//! let lock = FolderLock::take(&root, &mut || false)?.ok_or("another process writes into the folder")?;
//! let folder = StudyFolder::create(&root, &study, &lock)?;
//! assert_eq!(folder.entries().len(), 4);
//! assert_eq!(folder.entries()[3].labels["lr"], "0.2");
//! assert!(folder.entries().iter().all(|entry| folder.standing(entry) == Standing::Ready));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod axis;
mod create;
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
mod process;
mod queue;
mod reason;
mod reserved;
mod results;
mod run;
mod scale;
mod settings;
pub mod slurm;
mod stage;
mod standing;
mod study;

pub use error::StudyError;
pub use file::{Measure, StudyFile};
pub use folder::StudyFolder;
pub use layout::too_long;
pub use lock::FolderLock;
pub use packing::{Slot, packed};
pub use prepare::Prepared;
pub use process::{Ended, Halt};
pub use queue::{Queue, Report};
pub use saltflat_record::Entry;
pub use stage::Stage;
pub use standing::Standing;
pub use study::Study;
