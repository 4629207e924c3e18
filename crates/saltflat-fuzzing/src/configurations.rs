//! Configurations of runs and of labs.

use std::path::Path;

use saltflat_lab::{LABS, LabFolder, Scale, lab as make};
use saltflat_models::ARCHITECTURES;
use saltflat_noise::NOISES;
use saltflat_train::config::{Config, Purpose};

use crate::scratch;

/// Where configurations lie, as far as their relative paths say.
const FILE: &str = "/configs/fuzzed.toml";

/// A configuration; its lines `#set KEY=VALUE` are what `--set` takes. What is read is written, and read as the same; a network
/// that it describes can be built, or is refused.
pub fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let overrides: Vec<(String, String)> = settings(text, "#set ");
    let _ = Config::read_as(text, Path::new(FILE), &overrides, Purpose::Measure);
    let Ok(config) = Config::read(text, Path::new(FILE), &overrides) else { return };
    let written = config.to_toml().expect("what was read can be written");
    let again = Config::read(&written, Path::new(FILE), &[]).unwrap_or_else(|e| panic!("{e}\n{written}"));
    assert_eq!(again, config, "{written}");
    if let Ok(network) = config.model.architecture.build([3, 32, 32], config.model.outputs.unwrap_or(10)) {
        assert!(!network.layout().is_empty(), "a network has parameters");
    }
}

/// A configuration for the example of every architecture and of every noise.
pub fn examples() -> Vec<String> {
    let start = "[data]\nkind = \"mnist-1k\"\n[optimizer]\nlr = 0.1\n[train]\nsteps = 1\n";
    let with = |section: &str, kind: &str, keys: &str, rest: &str| {
        format!("{start}{rest}[{section}]\nkind = \"{kind}\"\n{keys}\n")
    };
    let models = ARCHITECTURES.iter().map(|kind| with("model", kind.name, kind.example, "[loss]\nkind = \"square\"\n"));
    let rest = "[loss]\nkind = \"square\"\n[model]\nkind = \"mlp\"\nhidden = [2]\n";
    models.chain(NOISES.iter().map(|kind| with("noise", kind.name, kind.example, rest))).collect()
}

/// A line with the name of a lab, and lines `KEY=VALUE` that change its settings. Their trials can be listed.
pub fn lab(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (name, changes) = text.split_once('\n').unwrap_or((text, ""));
    let Ok(lab) = make(name.trim(), Scale::Smoke, &settings(changes, "")) else { return };
    assert_eq!(lab.about().name, name.trim());
    assert!(!lab.settings().is_empty());
    let trials = lab.trials();
    assert!(!trials.is_empty(), "a lab has trials");
}

/// The rows of a lab's folder: torn and foreign ones are cut away, what is kept is kept again.
pub fn lab_rows(bytes: &[u8]) {
    let name = LABS[3].name;
    let lab = make(name, Scale::Smoke, &[]).expect("a lab");
    let root = scratch::path("lab");
    // A file before there is a folder would be something else than a lab's.
    let rows = scratch::path("lab/metrics.jsonl");
    let _ = std::fs::remove_file(&rows);
    let _ = LabFolder::open(&root, &*lab).expect("a folder of this lab");
    scratch::file("lab/metrics.jsonl", bytes);
    let open = || LabFolder::open(&root, &*lab).map(|folder| lab.trials().iter().filter(|t| folder.holds(t)).count());
    let held = open().expect("a folder with any rows");
    let kept = std::fs::read(&rows).expect("its rows");
    assert_eq!(open().expect("it was just opened"), held);
    assert_eq!(std::fs::read(&rows).expect("its rows"), kept, "what was kept is kept again");
}

/// `KEY=VALUE` of every line that begins so.
fn settings(text: &str, begin: &str) -> Vec<(String, String)> {
    let pair = |line: &str| {
        let (key, value) = line.strip_prefix(begin)?.split_once('=')?;
        Some((key.trim().to_string(), value.to_string()))
    };
    text.lines().filter_map(pair).collect()
}
