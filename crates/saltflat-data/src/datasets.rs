//! The datasets.

use crate::dataset::{Dataset, Listed};

/// The list and what every entry of it needs.
macro_rules! datasets {
    ($($module:ident::$dataset:ident),* $(,)?) => {
        $(impl Listed for crate::$module::$dataset {})*

        /// All datasets, in the order in which messages name them.
        pub const DATASETS: &[&dyn Dataset] = &[$(&crate::$module::$dataset),*];
    };
}

datasets![
    mnist::Mnist1k,
    cifar10::Cifar10_1k,
    mnist::Mnist,
    cifar10::Cifar10,
    cifar100::Cifar100,
    tensors::Tensors,
    teachers::RandomFeatureTeacher,
    teachers::LinearTeacher,
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use saltflat_config::{Problems, Section};

    use super::*;
    use crate::{DataConfig, DataKind};

    /// Every name stands once, serializes as itself, and its example is a valid table of its kind.
    #[test]
    fn every_dataset_reads_its_example() {
        for (i, dataset) in DATASETS.iter().enumerate() {
            let name = dataset.name();
            assert_eq!(DATASETS.iter().position(|other| other.name() == name), Some(i));
            assert_eq!(serde_json::to_value(DataKind(*dataset)).unwrap(), name);
            assert!(!dataset.about().is_empty());
            let table = saltflat_config::parse(&format!("kind = \"{name}\"\n{}", dataset.example())).unwrap();
            let problems = Problems::default();
            let config = DataConfig::read(Section::root(table, Path::new("."), &problems), 0);
            assert_eq!(problems.take(), []);
            assert_eq!(config.kind, DataKind(*dataset));
        }
    }
}
