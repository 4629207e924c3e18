//! The samples that ship inside the program; `datasets/README.md` says how they were cut.

use crate::cifar::CIFAR10;
use crate::error::DataError;
use crate::examples::Examples;
use crate::files::{gunzip, sha256};
use crate::idx::{self, Idx};

/// A file of `datasets/`: its name there and its bytes.
type Shipped = (&'static str, &'static [u8]);

macro_rules! shipped {
    ($name:literal) => {
        ($name, include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../datasets/", $name)))
    };
}

const MNIST: [Shipped; 4] = [
    shipped!("mnist-1k/train-images-idx3-ubyte.gz"),
    shipped!("mnist-1k/train-labels-idx1-ubyte.gz"),
    shipped!("mnist-1k/t10k-images-idx3-ubyte.gz"),
    shipped!("mnist-1k/t10k-labels-idx1-ubyte.gz"),
];
const CIFAR: [Shipped; 2] = [shipped!("cifar10-1k/data_batch.bin.gz"), shipped!("cifar10-1k/test_batch.bin.gz")];

/// Training split, test split, and the files with their SHA-256.
pub(crate) type Loaded = (Examples, Examples, Vec<(String, String)>);

/// `mnist-1k`.
pub(crate) fn mnist() -> Result<Loaded, DataError> {
    let content = |(name, bytes): Shipped| gunzip(name, bytes, None);
    let split = |images: Shipped, labels: Shipped| {
        let (image_bytes, label_bytes) = (content(images)?, content(labels)?);
        idx::examples(&Idx { file: images.0, bytes: &image_bytes }, &Idx { file: labels.0, bytes: &label_bytes })
    };
    Ok((split(MNIST[0], MNIST[1])?, split(MNIST[2], MNIST[3])?, source(&MNIST)))
}

/// `cifar10-1k`.
pub(crate) fn cifar10() -> Result<Loaded, DataError> {
    let split = |(name, bytes): Shipped| CIFAR10.examples(&[(name.into(), gunzip(name, bytes, None)?)]);
    Ok((split(CIFAR[0])?, split(CIFAR[1])?, source(&CIFAR)))
}

fn source(files: &[Shipped]) -> Vec<(String, String)> {
    files.iter().map(|&(name, bytes)| (name.into(), sha256(bytes))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::Labels;

    /// `datasets/SHA256SUMS` is checked by `sha256sum -c` too.
    #[test]
    fn the_embedded_files_are_those_of_sha256sums() {
        let sums = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../datasets/SHA256SUMS"));
        let mut listed: Vec<(String, String)> = sums
            .lines()
            .map(|line| line.split_once("  ").unwrap())
            .map(|(sum, name)| (name.to_string(), sum.to_string()))
            .collect();
        let mut embedded = [source(&MNIST), source(&CIFAR)].concat();
        listed.sort();
        embedded.sort();
        assert_eq!(embedded, listed);
    }

    fn labels(examples: &Examples) -> &[u32] {
        let Labels::Classes { labels, classes: 10 } = examples.labels() else { panic!("ten classes") };
        labels
    }

    /// The first labels are those that every introduction to the datasets prints; then each class is equally frequent.
    #[test]
    fn samples_are_balanced_and_in_the_official_order() {
        let mnist = mnist().unwrap();
        let cifar = cifar10().unwrap();
        for (split, per_class, shape, first) in [
            (&mnist.0, 100, [1, 28, 28], [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]),
            (&mnist.1, 100, [1, 28, 28], [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]),
            (&cifar.0, 100, [3, 32, 32], [6, 9, 9, 4, 1, 1, 2, 7, 8, 3]),
            (&cifar.1, 50, [3, 32, 32], [3, 8, 8, 0, 6, 6, 1, 6, 3, 1]),
        ] {
            assert_eq!(split.shape(), shape);
            assert_eq!(labels(split)[..10], first);
            for class in 0..10 {
                assert_eq!(labels(split).iter().filter(|&&label| label == class).count(), per_class);
            }
        }
    }
}
