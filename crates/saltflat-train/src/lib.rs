//! The training loop: optimizer, schedules, when to measure, checkpoints, the run folder.
//!
//! A [`config::Config`] says what to run; a [`Plan`] is a configuration that was checked against its data, and only a plan
//! can run. A [`Trainer`] makes the steps and tells an [`Observer`] what happens; a [`RunFolder`] keeps it.

mod batch_norm;
mod batch_step;
mod checkpoint;
pub mod config;
mod device;
mod error;
#[cfg(any(feature = "wgpu", feature = "cuda"))]
mod fusion;
mod losses;
mod measure;
mod observer;
mod optimizer;
mod plan;
mod run_folder;
mod schedule;
mod split;
mod state;
mod step_noise;
mod timing;
mod trainer;

pub use checkpoint::{
    CHANGEABLE, ConfigChange, ConfigChanges, Resumed, SavedRun, check_start, load_start, load_update, resume,
    save_checkpoint, start, start_sha256, weights_note,
};
pub use device::{Chosen, DeviceChoice, adapter_names, choose};
pub use error::TrainError;
pub use losses::MeasuredLoss;
pub use measure::{
    Cost, Measurement, MeasurementContext, MeasurementPoint, MeasurementSizes, Measurer, Memory, MetricGroup,
    PairsOptions, TrainingSettings, curvature_subset, measurement_cost,
};
pub use observer::{EpochRow, MeasurementRow, Observer};
pub use optimizer::{Sam, Sgd};
pub use plan::{Outline, Plan};
pub use run_folder::{Before, RunFolder};
pub use split::{Split, SplitUnder};
pub use timing::{Counts, Times};
pub use trainer::{Outcome, Trainer};
