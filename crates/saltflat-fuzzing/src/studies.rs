//! Studies and their manifests.

use std::path::Path;

use saltflat_study::{Prepared, Standing, Study, StudyFile, StudyFolder};
use saltflat_train::config::Config;

use crate::scratch;

/// A study, at every scale that it has: each of its runs has a name of its own and a configuration, and starts from an earlier one.
pub fn study(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let file = Path::new("/studies/fuzzed.toml");
    // Not the base that it names, which is a file of its own.
    let Ok(source) = StudyFile::parse_alone(text, file) else { return };
    if is_slow(&source) {
        return;
    }
    let scales: Vec<String> = source.scale.keys().take(3).cloned().collect();
    for scale in std::iter::once(None).chain(scales.iter().map(|scale| Some(scale.as_str()))) {
        let Ok(study) = Study::new(source.clone(), file, scale) else { continue };
        assert_eq!(study.entries.len(), study.configs.len());
        for (i, (entry, config)) in study.entries.iter().zip(&study.configs).enumerate() {
            assert!(entry.index == i && entry.parent.is_none_or(|parent| parent < i));
            assert!(entry.name.split('/').count() == 2 && !entry.name.contains(".."), "{}", entry.name);
            Config::read(config, file, &[]).unwrap_or_else(|e| panic!("{e}\n{config}"));
        }
    }
}

/// So many runs that a fuzzer would learn nothing from the time they take, and yet not so many that they are refused.
fn is_slow(source: &StudyFile) -> bool {
    let most = source.scale.values().flat_map(|scale| scale.stage.values()).filter_map(|stage| stage.seeds.as_ref());
    let seeds = source.stages.iter().map(|stage| &stage.seeds).chain(most).map(Vec::len).max().unwrap_or(1);
    let axes = source.stages.iter().flat_map(|stage| &stage.axes).map(|axis| axis.values.len().max(1) as f64);
    let runs = seeds as f64 * axes.product::<f64>();
    (300.0..1e6).contains(&runs)
}

/// The manifest of a study's folder: every run lies in it, and stands somewhere.
pub fn manifest(bytes: &[u8]) {
    let root = scratch::path("study");
    scratch::file("study/manifest.json", bytes);
    let Ok(folder) = StudyFolder::open(&root) else { return };
    for entry in folder.entries().iter().take(50) {
        let run = folder.run(entry);
        assert!(run.starts_with(&root) && run.parent() != Some(&root) && run != root, "{}", run.display());
        assert!(folder.config(entry).starts_with(&root) && folder.log(entry).starts_with(&root));
        let expected = if entry.parent.is_none() { Standing::Ready } else { Standing::Waiting };
        assert_eq!(folder.standing(entry), expected, "no run has begun");
        assert_eq!(folder.prepare(entry).expect("there is nothing to remove"), Prepared::Anew);
    }
    assert!(root.join("manifest.json").is_file());
    assert!(folder.entry(folder.entries().len()).is_err());
}
