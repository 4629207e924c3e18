//! The papers' small worlds that need no network, in plain Rust and f64.
//!
//! A [`Lab`] is a claim of a paper and the trials that show it: each [`Trial`] is a pure function of the lab's settings, the
//! trial's labels and its seed, so that trials run side by side, and a lab that was stopped goes on with those that are left.

pub mod binary_losses;
pub mod coupling;
pub mod cycling;
mod error;
mod folder;
mod lab;
pub mod linear_stability;
mod named;
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
pub use registry::{LABS, LabKind, lab};
pub use runner::run;
pub use settings::{About, Described, Listed, Scale, Settings, read};
