#![doc = include_str!("../README.md")]

mod checkpoint;
pub mod config;
mod device;
mod error;
mod fusion;
mod measure;
mod observer;
mod optimizer;
mod outline;
mod plan;
mod run_folder;
mod split;
mod state;
mod step;
mod timing;
mod trainer;

pub use checkpoint::{
    CHANGEABLE, ConfigChange, ConfigChanges, Resumed, SavedRun, check_start, load_start, load_update, load_weights,
    resume, save_checkpoint, start, start_notes, start_sha256,
};
pub use device::{DeviceChoice, DeviceInfo, adapter_names, choose_device};
pub use error::TrainError;
pub use measure::{
    Cost, MeasuredVectors, Measurement, MeasurementContext, MeasurementPoint, MeasurementSizes, Measurer, Memory,
    MetricGroup, PairsOptions, TrainingSettings, curvature_subset, measurement_cost,
};
pub use observer::{Observer, Snapshot};
pub use optimizer::{Sam, Sgd};
pub use outline::Outline;
pub use plan::Plan;
pub use run_folder::{ResumeReport, RunFolder};
pub use saltflat_record::{EpochRow, MeasurementRow};
pub use split::{Split, SplitWithLoss};
pub use timing::{Counts, Times};
pub use trainer::{Outcome, Trainer};
