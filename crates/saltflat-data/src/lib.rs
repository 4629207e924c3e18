//! Datasets: from files to batches on a device.
//!
//! [`load`] reads what a [`DataConfig`] asks for into host memory ([`Splits`]): the samples that ship with the program,
//! the official files of MNIST, CIFAR-10 and CIFAR-100 (checked against their checksums; [`Official`] is the list of them),
//! tensors from a safetensors file, or samples of a teacher. [`DeviceData`] puts a split on a device once and gathers batches there; [`Batches`] say which.
//! Every random draw follows from (seed, stream, step) alone, see [`saltflat_random`].

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod adversarial;
mod augment;
mod batches;
mod cifar;
mod config;
mod device;
mod error;
mod examples;
mod files;
mod folder;
#[doc(hidden)]
pub mod fuzzing;
mod idx;
mod load;
mod official;
mod options;
mod shards;
mod shipped;
mod summary;
mod teachers;
mod tensors;
#[cfg(test)]
mod testing;
mod warnings;

pub use augment::Change;
pub use batches::{BatchSampling, Batches, epoch_order};
pub use config::{Adversarial, DataConfig, DataKind, Sample};
pub use device::DeviceData;
pub use error::DataError;
pub use examples::{Example, Examples, Inputs, Label, Labels, Splits, Standardise};
pub use folder::data_folder;
pub use load::load;
pub use official::{Official, Published};
pub use summary::Summary;
