//! Reads `[data]`.

use saltflat_config::{Kind, Section};

use crate::{
    dataset::{Adversarial, DataConfig, Dataset, EmnistSplit, Sample},
    datasets::{DATASETS, MNIST_1K},
};

impl DataConfig {
    /// Reads the table; `seed` is the default of its key `seed`. What is wrong is noted in the section.
    pub fn read(mut section: Section, seed: u64) -> Self {
        let kind = |&read: &&'static Dataset| Kind { name: read.name, example: read.example, read };
        let kinds: Vec<_> = DATASETS.iter().map(kind).collect();
        let config = Self {
            kind: section.kind(&kinds).map_or(&MNIST_1K, |kind| kind.read),
            split: section.choice("split", &EmnistSplit::ALL),
            path: section.path("path", "the path of a safetensors file"),
            data_dir: None,
            classes: section
                .optional("classes", "a list of classes, such as [0, 1]", |classes: &Vec<u32>| !classes.is_empty()),
            limit: section.count("limit"),
            test_limit: section.count("test_limit"),
            sample: section.choice("sample", &Sample::ALL).unwrap_or_default(),
            dimension: section.count("dimension"),
            binary: section.get("binary").unwrap_or(false),
            standardise: section.get("standardise").unwrap_or(true),
            augment: section.get("augment").unwrap_or(false),
            adversarial: section.switch("adversarial", false).map(Adversarial::read),
            seed: section.get("seed").unwrap_or(seed),
        };
        section.finish("[data]");
        config
    }
}

impl Adversarial {
    fn read(mut section: Section) -> Self {
        let paper = Self::default();
        let config = Self {
            copies: section.count("copies").unwrap_or(paper.copies),
            zeroed: section
                .optional("zeroed", "a number in [0, 1]", |x| (0.0..=1.0).contains(x))
                .unwrap_or(paper.zeroed),
        };
        section.finish("data.adversarial");
        config
    }
}
