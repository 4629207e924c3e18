//! Every target on its corpus and on damaged copies of it: what a fuzzer found stays found, in seconds.

use std::{
    collections::HashSet,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use saltflat_fuzzing::{Mutator, TARGETS, examples};

/// Files of a target's corpus, in the order of their names.
fn corpus(name: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
    let mut files: Vec<(String, Vec<u8>)> = fs::read_dir(&folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .map(|entry| entry.expect("a file").path())
        .map(|path| (path.display().to_string(), fs::read(&path).expect("a file")))
        .collect();
    files.sort();
    files
}

fn check(name: &str, damaged: u64) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).expect("a target");
    let run = |bytes: &[u8], what: &dyn Fn() -> String| {
        assert!(catch_unwind(AssertUnwindSafe(|| target(bytes))).is_ok(), "{name}: {}", what());
    };
    let mut files = corpus(name);
    if name == "config" {
        files.extend(examples().into_iter().map(|text| (text.clone(), text.into_bytes())));
    }
    assert!(!files.is_empty(), "{name} has no corpus");
    for (path, bytes) in &files {
        run(bytes, &|| path.clone());
    }
    let mutator = Mutator::new(5);
    for index in 0..damaged {
        let n = files.len() as u64;
        let ((path, bytes), (_, other)) = (&files[(index % n) as usize], &files[(index / n % n) as usize]);
        let bytes = mutator.damaged(index, bytes, other);
        run(&bytes, &|| format!("damage {index} of {path}: {:?}", String::from_utf8_lossy(&bytes)));
    }
}

/// The names of all kinds and all their keys are in the dictionary of the fuzzers.
#[test]
fn kinds_are_in_the_dictionary() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/dict/toml");
    let dictionary = fs::read_to_string(path).expect("a dictionary");
    let words: HashSet<&str> = dictionary.lines().map(|line| line.trim_matches('"')).collect();
    for text in examples() {
        let table: toml::Table = text.parse().expect("it is TOML");
        for section in ["model", "noise"] {
            let keys = table.get(section).and_then(toml::Value::as_table).into_iter().flatten();
            for (key, value) in keys {
                assert!(words.contains(key.as_str()), "{key}");
                assert!(key != "kind" || value.as_str().is_some_and(|kind| words.contains(kind)), "{value}");
            }
        }
    }
}

macro_rules! targets {
    ($($name:ident: $damaged:literal),*) => {
        $(#[test]
        fn $name() {
            check(stringify!($name), $damaged);
        })*

        #[test]
        fn all_are_tested() {
            assert_eq!(TARGETS.map(|(name, _)| name), [$(stringify!($name)),*]);
        }
    };
}

targets! {
    idx: 5000, cifar: 3000, gzip: 5000, tensors: 2000, weights: 2000, state: 500, progress: 500, config: 2000, lab: 3000,
    lab_rows: 500, run: 1000, figures: 500, study: 1000, manifest: 2000, index: 2000
}
