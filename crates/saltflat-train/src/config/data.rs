//! `[data]`.

use saltflat_config::Section;
use saltflat_data::{Adversarial, DataConfig, DataKind, Sample};

pub(super) fn read(mut section: Section, seed: u64) -> DataConfig {
    let kinds: Vec<(&'static str, DataKind)> = DataKind::ALL.iter().map(|kind| (kind.name(), *kind)).collect();
    if !section.has("kind") {
        let names: Vec<_> = kinds.iter().map(|(name, _)| *name).collect();
        section.problem("kind", format!("is missing; expected one of {}", names.join(", ")));
    }
    let config = DataConfig {
        kind: section.choice("kind", &kinds).unwrap_or(DataKind::Mnist1k),
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
        adversarial: section.switch("adversarial", false).map(adversarial),
        seed: section.get("seed").unwrap_or(seed),
    };
    section.finish("[data]");
    config
}

fn adversarial(mut section: Section) -> Adversarial {
    let paper = Adversarial::default();
    let config = Adversarial {
        copies: section.count("copies").unwrap_or(paper.copies),
        zeroed: section.optional("zeroed", "a number in [0, 1]", |x| (0.0..=1.0).contains(x)).unwrap_or(paper.zeroed),
    };
    section.finish("data.adversarial");
    config
}
