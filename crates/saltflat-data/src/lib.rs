#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod adversarial;
mod augment;
mod batches;
mod cifar;
mod cifar10;
mod cifar100;
mod config;
mod dataset;
mod datasets;
mod device;
mod error;
mod examples;
mod files;
mod folder;
#[doc(hidden)]
pub mod fuzzing;
mod idx;
mod load;
mod mnist;
mod official;
mod options;
mod published;
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
pub use cifar10::{Cifar10, Cifar10_1k};
pub use cifar100::Cifar100;
pub use dataset::{Adversarial, DataConfig, DataKind, Dataset, Listed, Sample, Sizes, Storage, Targets};
pub use datasets::DATASETS;
pub use device::DeviceData;
pub use error::DataError;
pub use examples::{Examples, Inputs, Labels, Splits, Standardise};
pub use folder::data_folder;
pub use load::load;
pub use mnist::{Mnist, Mnist1k};
pub use official::Official;
pub use published::{Archive, Layout, Package, Packing, Published};
pub use summary::Summary;
pub use teachers::{LinearTeacher, RandomFeatureTeacher};
pub use tensors::Tensors;
