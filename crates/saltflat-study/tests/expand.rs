//! From a study's file to its runs.
#![allow(clippy::unwrap_used)]

use std::{fs, path::Path};

use saltflat_study::{Standing, Study, StudyError, StudyFile, StudyFolder, slurm};

const BASE: &str = r#"
[study]
name = "escapes"
[base.data]
kind = "mnist-1k"
[base.model]
kind = "mlp"
hidden = [8]
[base.loss]
kind = "cross_entropy"
[base.noise]
kind = "label-flip"
probability = 0.2
[base.optimizer]
lr = 0.1
batch_size = 100
[base.train]
epochs = 50
"#;

fn study(rest: &str, scale: Option<&str>) -> Result<Study, StudyError> {
    let file = Path::new("studies/escapes.toml");
    Study::new(StudyFile::parse(&format!("{BASE}{rest}"), file)?, file, scale)
}

fn names(study: &Study) -> Vec<&str> {
    study.entries.iter().map(|entry| entry.name.as_str()).collect()
}

fn problems(rest: &str, scale: Option<&str>) -> Vec<String> {
    match study(rest, scale).unwrap_err() {
        StudyError::Problems { problems, .. } => problems,
        other => panic!("{other}"),
    }
}

fn value(study: &Study, run: usize, key: &str) -> toml::Value {
    let table: toml::Table = study.configs[run].parse().unwrap();
    let (section, key) = key.split_once('.').unwrap();
    table[section][key].clone()
}

const TWO_STAGES: &str = r#"
[[stage]]
name = "start"
seeds = [0, 1]
set = { "optimizer.batch_size" = "full", noise = { kind = "label-smoothing", probability = 0.2 } }
[[stage]]
name = "escape"
from = "start"
seeds = [0, 1]
[[stage.axis]]
name = "noise"
values = [{ label = "none", set = { noise = { kind = "none" } } }, { label = "Label flip" }]
[[stage.axis]]
name = "lr"
key = "optimizer.lr"
values = [0.1, 0.5]
[scale.small]
base = { train.epochs = 3 }
stage.escape = { seeds = [1], set = { train.epochs = 2 }, axis = { noise = ["Label flip"], lr = [1.0] } }
"#;

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
    assert_eq!(value(&study, 9, "train.init").as_str(), Some("../start/s1"));
    assert_eq!(value(&study, 2, "noise.kind").as_str(), Some("none"));
    assert_eq!(value(&study, 0, "optimizer.batch_size").as_str(), Some("full"));
    assert_eq!(value(&study, 1, "run.seed").as_integer(), Some(1));
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

#[test]
fn every_problem_is_named() {
    let wrong_key = problems("[[stage]]\nname = \"a\"\nset = { optimizer.lrr = 1 }\n", None);
    assert!(wrong_key[0].starts_with("stage.a: a/s0: optimizer.lrr: "), "{wrong_key:?}");
    let cases = [
        ("[[stage]]\nname = \"a\"\nfrom = \"b\"\n", None, "stage.a.from: expected an earlier stage, got b"),
        (
            "[[stage]]\nname = \"a b\"\n",
            None,
            "stage.name: expected a word of letters, digits, - and _ (not configs, figures, logs, slurm), got \"a b\"",
        ),
        ("[[stage]]\nname = \"a\"\nseeds = []\n", None, "stage.a.seeds: expected at least one"),
        ("[[stage]]\nname = \"a\"\nseeds = 0\n", None, "stage.a.seeds: expected at least one"),
        ("[[stage]]\nname = \"a\"\n[scale.tiny]\n", Some("small"), "--scale: expected one of paper, tiny, got small"),
        (
            "[[stage]]\nname = \"a\"\n[[stage.axis]]\nname = \"x\"\nvalues = [1]\n",
            None,
            "stage.a.axis.x: expected values { label = \"…\", set = { … } }, or a key, got 1",
        ),
        (
            "[[stage]]\nname = \"a\"\nseeds = [1, 2]\n[[stage]]\nname = \"b\"\nfrom = \"a\"\n",
            None,
            "stage.b: 2 runs of stage a could be the start of seed 0; expected one with that seed, or only one",
        ),
        (
            "[[stage]]\nname = \"a\"\n[[stage.axis]]\nname = \"x\"\nkey = \"optimizer.lr\"\nvalues = [0.1, 0.1]\n",
            None,
            "stage.a: there are two runs a/x-0.1_s0",
        ),
    ];
    for (rest, scale, expected) in cases {
        assert_eq!(problems(rest, scale), [expected], "{rest}");
    }
    let error = study("[[stage]]\nname = \"a\"\nsede = [1]\n", None).unwrap_err().to_string();
    assert!(error.contains("unknown field `sede`") && error.contains("studies/escapes.toml"), "{error}");
}

/// A kilobyte that asks for 10¹⁶ runs: counted, not listed.
#[test]
fn more_runs_than_anybody_waits_for() {
    let axes: String = (0..12)
        .map(|i| format!("[[stage.axis]]\nname = \"x{i}\"\nkey = \"optimizer.lr\"\nvalues = [1,2,3,4,5,6,7,8,9,10]\n"))
        .collect();
    let stage = format!("[[stage]]\nname = \"a\"\nseeds = 10000\n{axes}");
    let expected = "stage.a: expected at most 10000 runs in a study, got 10000000000000000 up to this stage";
    assert_eq!(problems(&stage, None), [expected]);
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

#[test]
fn a_folder_keeps_its_configurations() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("it's here");
    let file = folder.path().join("study.toml");
    let read = |rest: &str| {
        fs::write(&file, format!("{BASE}{rest}")).unwrap();
        Study::new(StudyFile::read(&file).unwrap(), &file, None).unwrap()
    };
    let first = StudyFolder::create(&root, &read(TWO_STAGES)).unwrap();
    assert_eq!(first.entries(), StudyFolder::open(&root).unwrap().entries());
    // A run that exists pins its configuration; the others may change.
    fs::create_dir(root.join("start/s0")).unwrap();
    StudyFolder::create(&root, &read(&TWO_STAGES.replace("0.5]", "0.7]"))).unwrap();
    let changed = read(&TWO_STAGES.replace("probability = 0.2", "probability = 0.3"));
    let error = StudyFolder::create(&root, &changed).unwrap_err().to_string();
    assert!(error.contains("start/s0 was made with another configuration"), "{error}");
    let error = StudyFolder::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("holds no study"), "{error}");
    fs::write(root.join("manifest.json"), "{\"schema\": 1, \"study\": \"x\", \"file\": \"x\", \"scale\": null, \"runs\": [{\"index\": 0, \"name\": \"../x\", \"stage\": \"a\", \"labels\": {}, \"seed\": 0, \"parent\": null}]}").unwrap();
    assert!(StudyFolder::open(&root).unwrap_err().to_string().contains("expected runs named"));
    // An empty name was the study's folder itself, which would have been removed for a run without a checkpoint.
    let manifest = |name: &str, parents: std::ops::Range<usize>| {
        let run = |i: usize| {
            let parent = parents.contains(&i).then(|| i - 1);
            let name = if name.is_empty() { String::new() } else { format!("{name}{i}") };
            serde_json::json!({ "index": i, "name": name, "stage": "a", "labels": {}, "seed": i, "parent": parent })
        };
        let runs: Vec<_> = (0..parents.end.max(1)).map(run).collect();
        let text =
            serde_json::json!({ "schema": 1, "study": "x", "file": "x", "scale": null, "runs": runs }).to_string();
        fs::write(root.join("manifest.json"), text).unwrap();
        StudyFolder::open(&root)
    };
    for name in ["", "configs/x", "a/b/", "a/..", "a", "/a/", "a/\u{1b}"] {
        assert!(manifest(name, 0..0).unwrap_err().to_string().contains("expected runs named"), "{name:?}");
    }
    // A chain of 100,000 runs was a stack overflow.
    let long = manifest("a/s", 1..100_000).unwrap();
    assert_eq!(long.standing(&long.entries()[0]), Standing::Ready);
    assert_eq!(long.standing(&long.entries()[99_999]), Standing::Waiting);
}

/// Each stage's array waits for the stages that its runs start from, the page for all; bash accepts the scripts.
#[test]
fn jobs_of_slurm() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("it's here");
    let file = folder.path().join("study.toml");
    fs::write(&file, format!("{BASE}{TWO_STAGES}")).unwrap();
    let study = Study::new(StudyFile::read(&file).unwrap(), &file, None).unwrap();
    let made = StudyFolder::create(&root, &study).unwrap();
    let job = slurm::Job { program: Path::new("/opt/saltflat"), device: "cpu", data_dir: None };
    let written = slurm::emit(&made, &job).unwrap();
    let text = |name: &str| fs::read_to_string(root.join("slurm").join(name)).unwrap();
    assert!(text("start.sbatch").contains("#SBATCH --array=0-1\n"));
    assert!(text("escape.sbatch").contains("#SBATCH --array=2-9\n"));
    assert!(text("submit.sh").contains("submit --dependency=afterany:${jobs[0]} \"$here/escape.sbatch\""));
    for path in written {
        let checked = std::process::Command::new("bash").arg("-n").arg(&path).status();
        assert!(checked.is_ok_and(|status| status.success()), "{}", path.display());
    }
}
