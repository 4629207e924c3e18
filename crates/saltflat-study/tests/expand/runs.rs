//! The runs that follow from stages, axes, seeds, starts and scales.

use std::fs;

use saltflat_study::{Study, StudyFile};

use crate::{BASE, TWO_STAGES, names, problems, study, value};

#[test]
fn a_grid_of_axes_over_seeds() {
    let study = study(TWO_STAGES, None).unwrap();
    assert_eq!(study.name(), "escapes");
    assert_eq!(
        names(&study),
        [
            "start/s0",
            "start/s1",
            "escape/none_lr-0.1_s0",
            "escape/none_lr-0.1_s1",
            "escape/none_lr-0.5_s0",
            "escape/none_lr-0.5_s1",
            "escape/label-flip_lr-0.1_s0",
            "escape/label-flip_lr-0.1_s1",
            "escape/label-flip_lr-0.5_s0",
            "escape/label-flip_lr-0.5_s1",
        ]
    );
    let last = &study.entries[9];
    assert_eq!((last.index, last.seed, last.parent, last.stage.as_str()), (9, 1, Some(1), "escape"));
    assert_eq!(last.labels["noise"], "Label flip");
    assert_eq!(last.labels["lr"], "0.5");
    assert_eq!(value(&study, 9, "optimizer.lr").as_float(), Some(0.5));
    assert_eq!(value(&study, 9, "noise.probability").as_float(), Some(0.2));
    assert_eq!(value(&study, 9, "train.init").as_str(), Some("../../start/s1"));
    assert_eq!(value(&study, 2, "noise.kind").as_str(), Some("none"));
    assert_eq!(value(&study, 0, "optimizer.batch_size").as_str(), Some("full"));
    assert_eq!(value(&study, 1, "run.seed").as_integer(), Some(1));
}

/// An axis over `noise`: tables and lists, by key or by label.
#[test]
fn lists_of_noises_on_an_axis() {
    let both = r#"[{ kind = "logit-gaussian", sigma = 0.1 }, { kind = "label-flip", probability = 0.2 }]"#;
    let stage =
        |axis: &str| format!("[[stage]]\nname = \"one\"\nseeds = [0]\n[[stage.axis]]\nname = \"noise\"\n{axis}\n");
    let none = r#"{ kind = "none" }"#;
    let by_label = format!(
        r#"values = [{{ label = "none", set = {{ noise = {none} }} }}, {{ label = "both", set = {{ noise = {both} }} }}]"#
    );
    let by_key = format!("key = \"noise\"\nvalues = [{none}, {both}]");
    for axis in [by_label, by_key] {
        let study = study(&stage(&axis), None).unwrap();
        let of = |run: usize| study.configs[run].parse::<toml::Table>().unwrap()["noise"].clone();
        assert_eq!(of(0)["kind"].as_str(), Some("none"));
        // In the order of the kinds.
        assert_eq!(
            (of(1)[0]["kind"].as_str(), of(1)[1]["kind"].as_str()),
            (Some("label-flip"), Some("logit-gaussian"))
        );
    }
    let twice = both.replace("logit-gaussian", "label-flip").replace("sigma", "probability");
    let found = problems(&stage(&format!("key = \"noise\"\nvalues = [{twice}]")), None);
    assert!(found[0].contains("noise[1]: expected a noise that can act beside label-flip"), "{found:?}");
}

#[test]
fn a_scale_overrides() {
    let study = study(TWO_STAGES, Some("small")).unwrap();
    assert_eq!(study.name(), "escapes-small");
    assert_eq!(names(&study), ["start/s0", "start/s1", "escape/label-flip_lr-1.0_s1"]);
    assert_eq!(value(&study, 0, "train.epochs").as_integer(), Some(3));
    assert_eq!(value(&study, 2, "train.epochs").as_integer(), Some(2));
    assert_eq!(value(&study, 2, "optimizer.lr").as_float(), Some(1.0));
}

#[test]
fn axes_that_go_together_and_several_starts() {
    let rest = r#"
[[stage]]
name = "flat"
[[stage]]
name = "sharp"
[[stage]]
name = "escape"
from = ["flat", "sharp"]
seeds = [5]
combine = "zip"
axis = [
    { name = "lr", key = "optimizer.lr", values = [0.1, 0.2] },
    { name = "batch", key = "optimizer.batch_size", values = [10, 20] },
]
"#;
    let study = study(rest, None).unwrap();
    assert_eq!(
        names(&study)[2..],
        [
            "escape/flat_lr-0.1_batch-10_s5",
            "escape/flat_lr-0.2_batch-20_s5",
            "escape/sharp_lr-0.1_batch-10_s5",
            "escape/sharp_lr-0.2_batch-20_s5"
        ]
    );
    assert_eq!(study.entries[2].parent, Some(0));
    assert_eq!(study.entries[5].parent, Some(1));
    assert_eq!(study.entries[5].labels["start"], "sharp");
}

/// Weights in files are starts like stages. Their SHA-256 is part of what the study is: that of "abc" is the first example of
/// FIPS 180-2.
#[test]
fn starts_that_are_files() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("study.toml");
    let weights = folder.path().join("starts/sharp.safetensors");
    fs::create_dir(folder.path().join("starts")).unwrap();
    let read = |from: &str| {
        let rest = format!("[[stage]]\nname = \"flat\"\n[[stage]]\nname = \"b\"\nfrom = {from}\n");
        Study::new(StudyFile::parse(&format!("{BASE}{rest}"), &file)?, &file, None)
    };
    let several = "[\"flat\", { label = \"Sharp\", file = \"starts/sharp.safetensors\" }, \"starts/none.safetensors\"]";
    fs::write(&weights, "abc").unwrap();
    let study = read(several).unwrap();
    assert_eq!(names(&study), ["flat/s0", "b/flat_s0", "b/sharp_s0", "b/none_s0"]);
    let of = |run: usize| {
        let entry = &study.entries[run];
        (entry.parent, entry.start.as_deref(), entry.labels.get("start").map(String::as_str))
    };
    assert_eq!(of(1), (Some(0), None, Some("flat")));
    assert_eq!(of(2), (None, Some("starts/sharp.safetensors"), Some("Sharp")));
    assert_eq!(value(&study, 2, "train.init").as_str(), weights.to_str());
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(value(&study, 2, "train.init_sha256").as_str(), Some(abc));
    // What is not there has none; the check before the first run says so.
    assert_eq!(of(3), (None, Some("starts/none.safetensors"), Some("none")));
    assert!(!study.configs[3].contains("init_sha256") && !study.configs[1].contains("init_sha256"));
    // The fingerprint is that of the weights, wherever the study lies.
    let before = study.settings_sha256();
    assert!(!study.settings.concat().contains(folder.path().to_str().unwrap()));
    fs::write(&weights, "abd").unwrap();
    assert_ne!(read(several).unwrap().settings_sha256(), before);
    fs::write(&weights, "abc").unwrap();
    assert_eq!(read(several).unwrap().settings_sha256(), before);
    // One alone makes no axis.
    let one = read("\"starts/sharp.safetensors\"").unwrap();
    assert_eq!(names(&one), ["flat/s0", "b/s0"]);
    assert_eq!(value(&one, 1, "train.init_sha256").as_str(), Some(abc));

    let said = |from: &str| read(from).unwrap_err().to_string();
    assert!(said("3").contains("from: expected an earlier stage, the path of weights, or a table"), "{}", said("3"));
    assert!(said("[]").contains("from: expected at least one start"), "{}", said("[]"));
    let misspelt = said("{ label = \"a\", path = \"x.safetensors\" }");
    for part in ["stage.b.from.file: is missing; expected the path", "from.path: is not a key; a start has label, file"]
    {
        assert!(misspelt.contains(part), "{misspelt}");
    }
    let same = said("[\"a/x.safetensors\", \"b/x.safetensors\"]");
    assert!(same.ends_with("stage.b.from: values 1 and 2 are of the same label, x; leave one of them out"), "{same}");
}

#[test]
fn a_number_of_seeds() {
    let rest =
        "[[stage]]\nname = \"a\"\nseeds = 3\n[scale.tiny]\nstage.a.seeds = 2\n[scale.other]\nstage.a.seeds = [5]\n";
    assert_eq!(names(&study(rest, None).unwrap()), ["a/s0", "a/s1", "a/s2"]);
    assert_eq!(names(&study(rest, Some("tiny")).unwrap()), ["a/s0", "a/s1"]);
    assert_eq!(names(&study(rest, Some("other")).unwrap()), ["a/s5"]);
    for wrong in ["-1", "100001", "1.5", "[1, -2]", "[\"a\"]", "true"] {
        let error = study(&format!("[[stage]]\nname = \"a\"\nseeds = {wrong}\n"), None).unwrap_err().to_string();
        assert!(error.contains("seeds: expected a list of whole numbers, or how many seeds"), "{wrong}: {error}");
    }
}
