//! `[data]`.

use std::path::Path;

use saltflat_data::{Adversarial, DataConfig, DataKind, Sample};

use super::{any, reader::Section, resolved};

pub(super) fn read(mut section: Section, base: &Path, seed: u64) -> DataConfig {
    let kinds: Vec<(&'static str, DataKind)> = DataKind::ALL.iter().map(|kind| (kind.name(), *kind)).collect();
    if !section.has("kind") {
        let names: Vec<_> = kinds.iter().map(|(name, _)| *name).collect();
        section.problem("kind", format!("is missing; expected one of {}", names.join(", ")));
    }
    let some = "a whole number above 0";
    let config = DataConfig {
        kind: section.choice("kind", &kinds).unwrap_or(DataKind::Mnist1k),
        path: section.optional("path", "the path of a safetensors file", any).map(|path| resolved(path, base)),
        data_dir: None,
        classes: section
            .optional("classes", "a list of classes, such as [0, 1]", |classes: &Vec<u32>| !classes.is_empty()),
        limit: section.optional("limit", some, |n| *n > 0),
        test_limit: section.optional("test_limit", some, |n| *n > 0),
        sample: section.choice("sample", &Sample::ALL).unwrap_or_default(),
        dimension: section.optional("dimension", some, |n| *n > 0),
        binary: section.optional("binary", "", any).unwrap_or(false),
        standardise: section.optional("standardise", "", any).unwrap_or(true),
        augment: section.optional("augment", "", any).unwrap_or(false),
        adversarial: section.switch("adversarial", false).map(adversarial),
        seed: section.optional("seed", "", any).unwrap_or(seed),
    };
    section.finish("[data]");
    config
}

fn adversarial(mut section: Section) -> Adversarial {
    let paper = Adversarial::default();
    let config = Adversarial {
        copies: section.optional("copies", "a whole number above 0", |n| *n > 0).unwrap_or(paper.copies),
        zeroed: section.optional("zeroed", "a number in [0, 1]", |x| (0.0..=1.0).contains(x)).unwrap_or(paper.zeroed),
    };
    section.finish("data.adversarial");
    config
}
