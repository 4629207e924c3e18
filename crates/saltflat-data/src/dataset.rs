//! What a dataset is, and what a configuration says about it.

use std::{fmt, path::PathBuf};

use saltflat_config::named_enum;
use serde::{Serialize, Serializer};

use crate::{
    error::DataError,
    examples::{Splits, Standardise},
    official::Official,
};

/// A dataset that a configuration can name: an entry of the list in `datasets.rs`.
pub struct Dataset {
    /// Its name in configurations.
    pub name: &'static str,
    /// Training and test samples, their shape, and how many classes.
    pub about: &'static str,
    /// A small valid `[data]` table in TOML, without `kind`.
    pub example: &'static str,
    /// The targets of a sample before any option, if they are known without the samples.
    pub targets: Option<Targets>,
    /// The mean and standard deviation of each channel of the training split in common use; empty if there are none.
    pub channels: &'static [(f32, f32)],
    /// The keys of `[data]` that this dataset has, and others do not.
    pub own_keys: &'static [&'static str],
    /// How its samples get into memory.
    pub storage: Storage,
}

impl Dataset {
    /// What its [`channels`](Self::channels) say; absent if they say nothing.
    pub fn standardise(&self) -> Option<Standardise> {
        let (mean, std) = self.channels.iter().copied().unzip();
        (!self.channels.is_empty()).then_some(Standardise { mean, std })
    }
}

impl PartialEq for Dataset {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl fmt::Debug for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Serialize for Dataset {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}

/// What a sample's target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Targets {
    /// One of this many classes.
    Classes(usize),
    /// This many real numbers.
    Real(usize),
}

impl Targets {
    /// Number of outputs that a network needs.
    pub fn outputs(self) -> usize {
        match self {
            Self::Classes(outputs) | Self::Real(outputs) => outputs,
        }
    }
}

/// How the samples of a dataset get into memory.
pub enum Storage {
    /// They ship inside the program.
    Shipped(fn() -> Result<Splits, DataError>),
    /// They are published files in the data folder.
    Official(fn() -> Official, Sizes),
    /// They are read from a file that the configuration names, or drawn.
    Generated(fn(&DataConfig) -> Result<Splits, DataError>),
}

/// Published sizes of a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Channels, height and width of a sample.
    pub shape: [usize; 3],
    /// Samples of the training and of the test split.
    pub samples: [usize; 2],
}

/// What a configuration says about its data; [`load`](crate::load) reads it.
///
/// The options apply in this order: `classes`, `limit` and `test_limit`, `binary`, `adversarial`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DataConfig {
    /// Which dataset.
    pub kind: &'static Dataset,
    /// Which of its sets of classes; for the dataset `emnist` only, which needs it.
    pub split: Option<EmnistSplit>,
    /// The safetensors file; for the dataset `tensors` only.
    pub path: Option<PathBuf>,
    /// Folder of the official files; absent: see [`data_folder`](crate::data_folder). Shipped samples ignore it.
    pub data_dir: Option<PathBuf>,
    /// Keep these classes only and relabel them 0, 1, … in the order given.
    pub classes: Option<Vec<u32>>,
    /// Keep this many samples of the training split; of a teacher: draw them.
    pub limit: Option<usize>,
    /// Keep the first samples of the test split; of a teacher: draw as many.
    pub test_limit: Option<usize>,
    /// Which samples of the training split `limit` keeps.
    pub sample: Sample,
    /// Dimension d of the inputs; for teachers only. Absent: as in the paper.
    pub dimension: Option<usize>,
    /// Turn ten classes into real targets: labels 0–4 become 0, labels 5–9 become 1.
    pub binary: bool,
    /// Subtract the published mean of each channel and divide by its published standard deviation. No effect on tensors.
    pub standardise: bool,
    /// Random crops and flips of the training images, see [`DeviceData::batch_augmented`](crate::DeviceData::batch_augmented).
    pub augment: bool,
    /// Replace the training split by its adversarial copies.
    pub adversarial: Option<Adversarial>,
    /// Seed of every draw that makes data: a teacher's samples, a random sample, adversarial copies.
    pub seed: u64,
}

impl DataConfig {
    /// The whole dataset, standardised, with no other option.
    pub fn new(kind: &'static Dataset) -> Self {
        Self {
            kind,
            split: None,
            path: None,
            data_dir: None,
            classes: None,
            limit: None,
            test_limit: None,
            sample: Sample::First,
            dimension: None,
            binary: false,
            standardise: true,
            augment: false,
            adversarial: None,
            seed: 0,
        }
    }
}

named_enum! {
    /// A set of classes of EMNIST.
    pub enum EmnistSplit {
        /// 62 classes, of very different sizes: digits, capital letters, small letters.
        ByClass = "byclass",
        /// 47 classes, of very different sizes: as `byclass`, but 15 small letters that look like their capitals are of one class with them.
        ByMerge = "bymerge",
        /// The 47 classes of `bymerge`, of equal sizes.
        Balanced = "balanced",
        /// 26 letters, capital and small ones together.
        Letters = "letters",
        /// Ten digits.
        Digits = "digits",
        /// Ten digits, as many as MNIST has.
        Mnist = "mnist",
    }
}

named_enum! {
    /// Which samples a limit keeps.
    #[derive(Default)]
    pub enum Sample {
        /// The first ones.
        #[default]
        First = "first",
        /// Random ones, without replacement.
        Random = "random",
    }
}

/// A training set on which a network can only memorise; the adversarial initialisation of Damian et al. 2021
/// (arXiv 2106.06530, appendix D).
///
/// Every training image is repeated; each copy gets a uniformly random label and some of its pixels set to 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Adversarial {
    /// Copies of each image, at least 1.
    pub copies: usize,
    /// Fraction of the pixels of each copy that are set to 0 in all channels, in [0, 1].
    pub zeroed: f64,
}

impl Default for Adversarial {
    /// Ten copies, a tenth of the pixels: the values of the paper.
    fn default() -> Self {
        Self { copies: 10, zeroed: 0.1 }
    }
}
