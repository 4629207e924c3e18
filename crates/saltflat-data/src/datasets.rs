//! The datasets.

use crate::dataset::Dataset;

/// Exports the datasets and lists them in [`DATASETS`]; one that is not in the list is dead code, which does not compile.
macro_rules! datasets {
    ($($module:ident::$dataset:ident),* $(,)?) => {
        $(pub use crate::$module::$dataset;)*

        /// All datasets, in the order in which messages name them.
        pub const DATASETS: &[&Dataset] = &[$(&$dataset),*];
    };
}

datasets![
    mnist::MNIST_1K,
    cifar::CIFAR10_1K,
    mnist::MNIST,
    cifar::CIFAR10,
    cifar::CIFAR100,
    tensors::TENSORS,
    teachers::RANDOM_FEATURE_TEACHER,
    teachers::LINEAR_TEACHER,
    fashion_mnist::FASHION_MNIST,
    kmnist::KMNIST,
    emnist::EMNIST,
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use saltflat_config::{Problems, Section};

    use super::*;
    use crate::DataConfig;

    /// Every name stands once, serializes as itself, and its example is a valid table of its kind.
    #[test]
    fn every_dataset_reads_its_example() {
        for (i, dataset) in DATASETS.iter().enumerate() {
            let name = dataset.name;
            assert_eq!(DATASETS.iter().position(|other| other.name == name), Some(i));
            assert_eq!(serde_json::to_value(*dataset).unwrap(), name);
            assert!(!dataset.about.is_empty());
            let table = saltflat_config::parse(&format!("kind = \"{name}\"\n{}", dataset.example)).unwrap();
            let problems = Problems::default();
            let config = DataConfig::read(Section::root(table, Path::new("."), &problems), 0);
            assert_eq!(problems.take(), []);
            assert_eq!(config.kind, *dataset);
        }
    }
}
