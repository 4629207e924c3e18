//! Small experiments of papers that need no network, in plain Rust and f64.
//!
//! A [`Lab`] is a claim of a paper and the trials that test it: each [`Trial`] is a pure function of the lab's settings, the
//! trial's labels and its seed, so that trials run side by side, and a lab that was stopped goes on with those that are left.
//!
//! Start with [`lab`], which makes a lab by its name ([`LABS`] lists all), at a [`Scale`], with some settings changed. [`run`] makes its
//! trials, several at a time, and keeps them in a [`LabFolder`]; [`Lab::findings`] compares them with the paper. A new lab implements
//! [`Settings`] and [`Lab`] and gets an entry in the list of `registry.rs`.
//!
//! ```
//! use saltflat_lab::{Progress, Scale, lab};
//!
//! let changes = [("points".to_string(), "20".to_string())];
//! let lab = lab("binary-losses", Scale::Smoke, &changes)?;
//! let progress = Progress::default();
//! let mut done = Vec::new();
//! for trial in lab.trials() {
//!     let outcome = lab.run(&trial, &progress).expect("nobody stops it");
//!     done.push((trial, outcome));
//! }
//! assert!(lab.findings(&done).iter().all(|finding| finding.holds == Some(true)));
//! # Ok::<(), saltflat_lab::LabError>(())
//! ```

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
