#![doc = include_str!("../README.md")]
// A dataset that is not in the list.
#![deny(dead_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod adversarial;
mod augment;
mod batches;
mod cifar;
mod config;
mod dataset;
mod datasets;
mod device;
mod emnist;
mod error;
mod examples;
mod fashion_mnist;
mod files;
mod folder;
#[doc(hidden)]
pub mod fuzzing;
mod idx;
mod idx_set;
mod kmnist;
mod load;
mod mnist;
mod official;
mod options;
mod published;
mod records;
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
pub use dataset::{Adversarial, DataConfig, Dataset, EmnistSplit, Sample, Sizes, Storage, Targets};
pub use datasets::*;
pub use device::DeviceData;
pub use error::DataError;
pub use examples::{Examples, Inputs, Labels, Splits, Standardise};
pub use folder::data_folder;
pub use load::load;
pub use official::Official;
pub use published::{Archive, Layout, Package, Packing, Published};
pub use summary::Summary;
