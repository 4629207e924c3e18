//! What is known of a dataset without its samples.

use crate::{
    dataset::{Adversarial, DataConfig, Sizes, Storage},
    error::DataError,
    examples::{Labels, Splits},
    load::load,
};

/// The sizes of a dataset with all options of its configuration: what a network has to fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Channels, height and width of a sample.
    pub shape: [usize; 3],
    /// Samples of the training split.
    pub train: usize,
    /// Samples of the test split, if there is one.
    pub test: Option<usize>,
    /// Outputs that a network needs: the number of classes, or of real targets.
    pub outputs: usize,
    /// True for classes, false for real targets.
    pub has_classes: bool,
    /// What a person should know of the samples, a sentence each; empty if they were not read.
    pub warnings: Vec<String>,
}

impl Summary {
    /// Reads the dataset. Copies of samples are counted, not made.
    ///
    /// # Errors
    /// As [`load`].
    pub fn read(config: &DataConfig) -> Result<Self, DataError> {
        let one = |adversarial: Adversarial| Adversarial { copies: adversarial.copies.min(1), ..adversarial };
        let once = DataConfig { adversarial: config.adversarial.map(one), ..config.clone() };
        let found = Self::of(&load(&once)?);
        // Of the copies, which have labels of their own, nothing is known here.
        let warnings = if config.adversarial.is_none() { found.warnings } else { Vec::new() };
        Ok(Self { train: found.train.saturating_mul(copies(config)), warnings, ..found })
    }

    /// The published sizes of an official set, if its files are not at hand; absent for any other. With `data.classes`
    /// the numbers of samples are at most these.
    pub fn published(config: &DataConfig) -> Option<Self> {
        let (&Storage::Official(_, Sizes { shape, samples: [train, test] }), Some(targets)) =
            (&config.kind.storage, config.kind.targets)
        else {
            return None;
        };
        let outputs = config.classes.as_ref().map_or(targets.outputs(), Vec::len);
        let limited = |all: usize, limit: Option<usize>| limit.map_or(all, |limit| limit.min(all));
        Some(Self {
            shape,
            train: limited(train, config.limit).saturating_mul(copies(config)),
            test: Some(limited(test, config.test_limit)),
            outputs: if config.binary { 1 } else { outputs },
            has_classes: !config.binary,
            warnings: Vec::new(),
        })
    }

    /// The summary of a dataset in memory.
    pub fn of(splits: &Splits) -> Self {
        let labels = splits.train.labels();
        Self {
            shape: splits.train.shape(),
            train: splits.train.len(),
            test: splits.test.as_ref().map(crate::Examples::len),
            outputs: labels.outputs(),
            has_classes: matches!(labels, Labels::Classes { .. }),
            warnings: [splits.notes.clone(), splits.warnings()].concat(),
        }
    }
}

fn copies(config: &DataConfig) -> usize {
    config.adversarial.map_or(1, |adversarial| adversarial.copies)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datasets::{CIFAR10, CIFAR10_1K, MNIST, MNIST_1K};

    #[test]
    fn a_summary_is_that_of_the_samples() {
        let mut config = DataConfig::new(&MNIST_1K);
        (config.limit, config.test_limit) = (Some(20), Some(7));
        config.adversarial = Some(Adversarial { copies: 3, zeroed: 0.1 });
        let summary = Summary::read(&config).unwrap();
        assert_eq!(summary, Summary::of(&load(&config).unwrap()));
        assert_eq!((summary.shape, summary.train, summary.test, summary.outputs), ([1, 28, 28], 60, Some(7), 10));
        config.adversarial = None;
        (config.binary, config.classes) = (true, None);
        let binary = Summary::read(&config).unwrap();
        assert_eq!((binary.outputs, binary.has_classes), (1, false));
    }

    /// The sizes on the pages of the sets; the shipped samples are of the same shape.
    #[test]
    fn published_sizes_are_those_of_the_sets() {
        let mut config = DataConfig::new(&MNIST);
        let mnist = Summary::published(&config).unwrap();
        assert_eq!((mnist.train, mnist.test), (60_000, Some(10_000)));
        assert_eq!(mnist.shape, Summary::read(&DataConfig::new(&MNIST_1K)).unwrap().shape);
        config.kind = &CIFAR10;
        (config.classes, config.limit) = (Some(vec![0, 1]), Some(500));
        let cifar = Summary::published(&config).unwrap();
        assert_eq!(cifar.shape, Summary::read(&DataConfig::new(&CIFAR10_1K)).unwrap().shape);
        assert_eq!((cifar.train, cifar.outputs, cifar.has_classes), (500, 2, true));
        config.kind = &MNIST_1K;
        assert_eq!(Summary::published(&config), None);
    }
}
