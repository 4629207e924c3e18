//! Samples that ship inside the program; `datasets/README.md` in this crate says how they were cut.

use saltflat_record::sha256_hex;

use crate::{
    error::DataError,
    examples::{Examples, Splits},
    files::gunzip,
};

/// A file of `datasets/`: its name there and its bytes.
pub(crate) type Shipped = (&'static str, &'static [u8]);

/// The embedded file of this name.
macro_rules! shipped {
    ($name:literal) => {
        ($name, include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/datasets/", $name)) as &[u8])
    };
}
pub(crate) use shipped;

/// The decompressed content of a file.
pub(crate) fn content((name, bytes): Shipped) -> Result<Vec<u8>, DataError> {
    gunzip(name, bytes, None)
}

/// Both splits, with the SHA-256 of their files.
pub(crate) fn splits(train: Examples, test: Examples, files: &[Shipped]) -> Splits {
    Splits { train, test: Some(test), standardise: None, source: checksums(files), notes: Vec::new() }
}

/// Names and SHA-256 of files.
pub(crate) fn checksums(files: &[Shipped]) -> Vec<(String, String)> {
    files.iter().map(|&(name, bytes)| (name.into(), sha256_hex(bytes))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CIFAR10_1K, DataConfig, Dataset, MNIST_1K, cifar, examples::Labels, load, mnist};

    /// `datasets/SHA256SUMS` is checked by `sha256sum -c` too.
    #[test]
    fn the_embedded_files_are_those_of_sha256sums() {
        let sums = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/datasets/SHA256SUMS"));
        let mut listed: Vec<(String, String)> = sums
            .lines()
            .map(|line| line.split_once("  ").unwrap())
            .map(|(sum, name)| (name.to_string(), sum.to_string()))
            .collect();
        let mut embedded = [checksums(&mnist::FILES), checksums(&cifar::FILES)].concat();
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
        let loaded = |dataset: &'static Dataset| {
            let splits = load(&DataConfig::new(dataset)).unwrap();
            (splits.train, splits.test.unwrap())
        };
        let (mnist, cifar) = (loaded(&MNIST_1K), loaded(&CIFAR10_1K));
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
