#![doc = include_str!("../README.md")]

pub mod binary_losses;
pub mod coupling;
pub mod cycling;
mod error;
mod folder;
mod lab;
pub mod linear_stability;
pub mod quadratic;
pub mod random_walk;
mod registry;
pub mod regularizer;
mod runner;
mod settings;
mod statistics;
#[cfg(test)]
mod testing;

pub use error::LabError;
pub use folder::LabFolder;
pub use lab::{Finding, Lab, Outcome, Progress, Row, Stopped, Trial};
pub use registry::{LABS, LabKind, ReadLab, lab};
pub use runner::run;
pub use settings::{About, Described, Scale, Settings, read};
