//! What a configuration says about its data.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// What a configuration says about its data; [`load`](crate::load) reads it.
///
/// The options apply in this order: `classes`, `limit` and `test_limit`, `binary`, `adversarial`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DataConfig {
    /// Which dataset.
    pub kind: DataKind,
    /// The safetensors file; for [`DataKind::Tensors`] only.
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
    /// d; for teachers only. Absent: as in the paper.
    pub dimension: Option<usize>,
    /// Turn ten classes into real targets: labels 0–4 become 0, labels 5–9 become 1.
    pub binary: bool,
    /// Subtract the published mean of each channel and divide by its published standard deviation. Nothing for tensors.
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
    pub fn new(kind: DataKind) -> Self {
        Self {
            kind,
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

/// Which samples a limit keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sample {
    /// The first ones.
    #[default]
    First,
    /// Random ones, without replacement.
    Random,
}

impl Sample {
    /// All of them, with their names in configurations.
    pub const ALL: [(&str, Self); 2] = [("first", Self::First), ("random", Self::Random)];
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

/// The datasets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataKind {
    /// 1,000 training and 1,000 test digits of MNIST, 100 a class. Ships with the program.
    #[serde(rename = "mnist-1k")]
    Mnist1k,
    /// 1,000 training and 500 test images of CIFAR-10, 100 and 50 a class. Ships with the program.
    #[serde(rename = "cifar10-1k")]
    Cifar10_1k,
    /// MNIST: 60,000 training and 10,000 test digits, 1 × 28 × 28.
    Mnist,
    /// CIFAR-10: 50,000 training and 10,000 test images, 3 × 32 × 32.
    Cifar10,
    /// CIFAR-100: 50,000 training and 10,000 test images, 3 × 32 × 32, fine labels.
    Cifar100,
    /// Tensors from a safetensors file.
    Tensors,
    /// x ~ N(0, I_d) with f*(x) = 0.2 x₁ + (Σ_{i=2}^d xᵢ − 1)²/3 + sin(Σ_{i=1}^{d−2} xᵢ xᵢ₊₂ / 4) (Wu, Wang, Su 2022, A.1).
    RandomFeatureTeacher,
    /// x ~ N(0, I_d) with f*(x) = Σ xᵢ / d (Wu, Wang, Su 2022, A.1).
    LinearTeacher,
}

impl DataKind {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::Mnist1k,
        Self::Cifar10_1k,
        Self::Mnist,
        Self::Cifar10,
        Self::Cifar100,
        Self::Tensors,
        Self::RandomFeatureTeacher,
        Self::LinearTeacher,
    ];

    /// The names of all kinds, in the order of [`ALL`](Self::ALL).
    pub const NAMES: [&'static str; 8] = [
        "mnist-1k",
        "cifar10-1k",
        "mnist",
        "cifar10",
        "cifar100",
        "tensors",
        "random-feature-teacher",
        "linear-teacher",
    ];

    /// True where samples are drawn and their targets are real numbers, one each.
    pub fn is_teacher(self) -> bool {
        matches!(self, Self::RandomFeatureTeacher | Self::LinearTeacher)
    }

    /// The name in a configuration.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// The kind with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for DataKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_serialised_names_agree() {
        for kind in DataKind::ALL {
            assert_eq!(DataKind::from_name(kind.name()), Some(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
        assert_eq!(DataKind::from_name("MNIST"), None);
    }
}
