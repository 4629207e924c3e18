//! From a study's file to its runs.
#![allow(clippy::unwrap_used)]

use std::{fs, path::Path};

use saltflat_study::{FolderLock, Standing, Study, StudyError, StudyFile, StudyFolder, slurm};

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

fn create(root: &Path, study: &Study) -> Result<StudyFolder, StudyError> {
    let lock = FolderLock::take(root, &mut || true)?.unwrap();
    StudyFolder::create(root, study, &lock)
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
    assert!(misspelt.contains("from: expected label and file, got path"), "{misspelt}");
    let same = said("[\"a/x.safetensors\", \"b/x.safetensors\"]");
    assert!(same.ends_with("stage.b.from: values 1 and 2 are of the same label, x; leave one of them out"), "{same}");
}

#[test]
fn every_problem_is_named() {
    let wrong_key = problems("[[stage]]\nname = \"a\"\nset = { optimizer.lrr = 1 }\n", None);
    assert!(wrong_key[0].starts_with("stage.a: a/s0: optimizer.lrr: "), "{wrong_key:?}");
    let cases = [
        (
            "[[stage]]\nname = \"a\"\n[[stage]]\nname = \"b\"\nfrom = \"a\"\nset = { \"train.init\" = \"x.safetensors\" }\n",
            None,
            "stage.b: train.init: expected nothing, since the stage has from = \"a\"",
        ),
        (
            "[[stage]]\nname = \"a\"\nfrom = \"b\"\n",
            None,
            "stage.a.from: expected an earlier stage, or the path of weights with / or . in it, got b",
        ),
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
            "stage.a.axis.x: values 1 and 2 are the same, 0.1; leave one of them out",
        ),
    ];
    for (rest, scale, expected) in cases {
        assert_eq!(problems(rest, scale), [expected], "{rest}");
    }
    let error = study("[[stage]]\nname = \"a\"\nsede = [1]\n", None).unwrap_err().to_string();
    assert_eq!(error, "studies/escapes.toml: stage.a.sede: is not a key; did you mean seeds?");
}

/// Two runs that would have one folder: which two, and why.
#[test]
fn names_that_clash() {
    let axis = |values: &str| format!("[[stage]]\nname = \"a\"\n[[stage.axis]]\nname = \"x\"\n{values}\n");
    let lr = |values: &str| axis(&format!("key = \"optimizer.lr\"\nvalues = {values}"));
    let labelled = |labels: [&str; 2]| {
        let values = labels.map(|label| format!("{{ label = \"{label}\" }}"));
        axis(&format!("values = [{}]", values.join(", ")))
    };
    let alone = "of a label, the name of a folder has ASCII letters, digits, dots, - and + alone, without a difference between \
                 capital and small letters; change one of the two";
    let cases = [
        (lr("[0.2, 0.1, 1e-1]"), "stage.a.axis.x: values 2 and 3 are the same, 0.1; leave one of them out".into()),
        (lr("[1.0, 0.5, 1]"), "stage.a.axis.x: values 1 and 3 are the same, 1.0 and 1; leave one of them out".into()),
        (
            labelled(["none", "none"]),
            "stage.a.axis.x: values 1 and 2 are of the same label, none; leave one of them out".into(),
        ),
        (
            labelled(["Flip", "flip"]),
            format!("stage.a.axis.x: values 1 and 2, \"Flip\" and \"flip\", would have the same folders: {alone}"),
        ),
        (
            labelled(["ノイズ", "なし"]),
            format!("stage.a.axis.x: values 1 and 2, \"ノイズ\" and \"なし\", would have the same folders: {alone}"),
        ),
        (
            "[[stage]]\nname = \"a\"\n[[stage]]\nname = \"A\"\n".into(),
            "stage.A: differs from stage a in capital letters alone; their folders are one where a file system makes no difference \
             between them"
                .into(),
        ),
        (
            "[[stage]]\nname = \"Logs\"\n".into(),
            "stage.name: expected a word of letters, digits, - and _ (not configs, figures, logs, slurm), got \"Logs\"".into(),
        ),
        ("[[stage]]\nname = \"a\"\nseeds = [1, 2, 1]\n".into(), "stage.a.seeds: 1 is there twice".into()),
    ];
    for (rest, expected) in cases {
        assert_eq!(problems(&rest, None), [expected], "{rest}");
    }
    // What is in no folder's name: a terminal and a job script must not see it either.
    let control = problems(&labelled(["a\\u0007", "b"]), None);
    assert!(control[0].contains("value 1: expected a label without control characters"), "{control:?}");
    let file = Path::new("studies/escapes.toml");
    let named = format!("{BASE}[[stage]]\nname = \"a\"\n").replace("\"escapes\"", "\"a\\nb\"");
    let error = Study::new(StudyFile::parse(&named, file).unwrap(), file, None).unwrap_err().to_string();
    assert!(
        error.contains("study.name: expected a name without slashes and control characters, got \"a\\nb\""),
        "{error}"
    );
    // A scale is a part of the folder's name.
    for scale in ["a\\nb", "../up", "a\\u001b[31m", "a\\\\b", ".x"] {
        let found = problems(&format!("[[stage]]\nname = \"a\"\n[scale.\"{scale}\"]\n"), None);
        assert!(found[0].contains("expected a name without slashes and control characters"), "{found:?}");
    }
}

/// Every run has a configuration and a log of its own, whatever separators stand in the names of stages, labels and seeds.
#[test]
fn runs_with_separators_in_their_names() {
    let values = |labels: &[&str]| {
        let values: Vec<String> = labels.iter().map(|label| format!("{{ label = \"{label}\" }}")).collect();
        format!("[[stage.axis]]\nname = \"x\"\nvalues = [{}]\n", values.join(", "))
    };
    let stages = [
        ("a", vec!["b-c", "b", "c", "b.c", "b+c", "b-c-d", "s0"]),
        ("a-b", vec!["c", "b-c", "-", "c-d", "c.d"]),
        ("a_b", vec!["c", "b_c", "c_s0"]),
        ("a-b-c", vec!["d", "s0"]),
        ("a--b", vec!["c", "..", "s0.s1"]),
        ("-a", vec!["b-c"]),
    ];
    let rest: String = stages
        .iter()
        .map(|(stage, labels)| format!("[[stage]]\nname = \"{stage}\"\nseeds = [0, 1]\n{}", values(labels)))
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("study.toml");
    fs::write(&file, format!("{BASE}{rest}")).unwrap();
    let study = Study::new(StudyFile::read(&file).unwrap(), &file, None).unwrap();
    assert_eq!(study.entries.len(), 2 * stages.iter().map(|(_, labels)| labels.len()).sum::<usize>());
    let made = create(&folder.path().join("out"), &study).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for (entry, config) in made.entries().iter().zip(&study.configs) {
        assert_eq!(fs::read_to_string(made.config(entry)).unwrap(), *config, "{}", entry.name);
        // Some file systems make no difference between capital and small letters.
        for path in [made.config(entry), made.log(entry), made.run(entry)] {
            assert!(seen.insert(path.to_str().unwrap().to_lowercase()), "{}", path.display());
        }
    }
}

/// A folder that an earlier version made, with the configurations and logs of all stages beside each other.
#[test]
fn folders_of_earlier_versions() {
    let folder = tempfile::tempdir().unwrap();
    let (root, file) = (folder.path().join("out"), folder.path().join("study.toml"));
    fs::write(&file, format!("{BASE}{TWO_STAGES}")).unwrap();
    let study = Study::new(StudyFile::read(&file).unwrap(), &file, None).unwrap();
    let made = create(&root, &study).unwrap();
    // As it was: flat, the start relative to `configs`, and no lock.
    for (entry, config) in made.entries().iter().zip(&study.configs) {
        let flat = entry.name.replace('/', "-");
        fs::write(root.join(format!("configs/{flat}.toml")), config.replace("\"../../", "\"../")).unwrap();
        fs::write(root.join(format!("logs/{flat}.log")), "# ended: killed by SIGKILL\n").unwrap();
    }
    for stage in ["start", "escape"] {
        fs::remove_dir_all(root.join("configs").join(stage)).unwrap();
        fs::remove_dir_all(root.join("logs").join(stage)).unwrap();
    }
    fs::remove_file(root.join("study.lock")).unwrap();
    let opened = StudyFolder::open(&root).unwrap();
    let escape = &opened.entries()[2];
    assert_eq!(opened.config(escape), root.join("configs/escape-none_lr-0.1_s0.toml"));
    assert_eq!(opened.ending(escape).as_deref(), Some("killed by SIGKILL"));
    assert!(opened.claim(escape).unwrap().is_some());
    // A run that was made keeps the study from being another one, and goes on.
    fs::create_dir(root.join("escape/none_lr-0.1_s0")).unwrap();
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("kind = \"none\"", "kind = \"sgd-covariance\", strength = 1")).unwrap();
    let changed = Study::new(StudyFile::read(&file).unwrap(), &file, None).unwrap();
    let error = create(&root, &changed).unwrap_err().to_string();
    assert!(error.contains("escape/none_lr-0.1_s0 was made with another configuration"), "{error}");
    fs::write(&file, text).unwrap();
    let again = create(&root, &study).unwrap();
    for (entry, config) in again.entries().iter().zip(&study.configs) {
        assert_eq!(again.config(entry), root.join(format!("configs/{}.toml", entry.name)));
        assert_eq!(fs::read_to_string(again.config(entry)).unwrap(), *config);
        assert!(!root.join(format!("configs/{}.toml", entry.name.replace('/', "-"))).exists());
    }

    // Two runs whose configurations an earlier version wrote into one file.
    let rest = "[[stage]]\nname = \"a\"\n[[stage.axis]]\nname = \"x\"\nvalues = [{ label = \"b-c\" }]\n\
                [[stage]]\nname = \"a-b\"\n[[stage.axis]]\nname = \"x\"\nvalues = [{ label = \"C\" }]\n";
    let (root, file) = (folder.path().join("both"), folder.path().join("both.toml"));
    fs::write(&file, format!("{BASE}{rest}")).unwrap();
    let study = Study::new(StudyFile::read(&file).unwrap(), &file, None).unwrap();
    create(&root, &study).unwrap();
    fs::remove_dir_all(root.join("configs")).unwrap();
    fs::create_dir(root.join("configs")).unwrap();
    fs::write(root.join("configs/a-b-c_s0.toml"), &study.configs[1]).unwrap();
    for error in [StudyFolder::open(&root).unwrap_err(), create(&root, &study).unwrap_err()] {
        let said = error.to_string();
        assert!(
            error.is_bad_input() && said.contains("configurations of a/b-c_s0 and a-b/c_s0 into one file"),
            "{said}"
        );
    }
}

/// A study writes into an empty folder or its own alone.
#[test]
fn folders_of_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let read = |file: &str, name: &str, rest: &str, scale: Option<&str>| {
        let file = path(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let text = format!("{BASE}[[stage]]\nname = \"a\"\n{rest}").replace("\"escapes\"", &format!("\"{name}\""));
        fs::write(&file, text).unwrap();
        Study::new(StudyFile::read(&file).unwrap(), &file, scale).unwrap()
    };
    let study = read("one/s.toml", "same", "", None);
    // What is somebody else's stays as it is.
    for name in ["study.toml", "report.html", "summary.json", "manifest.json", "notes.txt", "configs/x.toml"] {
        let mine = path("mine");
        fs::create_dir_all(mine.join(name).parent().unwrap()).unwrap();
        fs::write(mine.join(name), "mine").unwrap();
        for error in [StudyFolder::check_owner(&mine, &study).unwrap_err(), create(&mine, &study).unwrap_err()] {
            assert!(error.is_bad_input() && error.to_string().contains("choose another folder with --out"), "{error}");
        }
        assert_eq!(fs::read_to_string(mine.join(name)).unwrap(), "mine");
        fs::remove_dir_all(&mine).unwrap();
    }
    // Empty folders, and what a process left that was killed at once.
    for names in [&[][..], &["study.lock"], &["study.lock", "manifest.json.123.tmp"]] {
        let root = path(&format!("empty-{}", names.len()));
        fs::create_dir(&root).unwrap();
        names.iter().for_each(|name| fs::write(root.join(name), "").unwrap());
        create(&root, &study).unwrap();
    }
    // The page of this study, kept without its runs; not that of another.
    for (of, scale, fits) in [("same", None, true), ("other", None, false), ("same", Some("b"), false)] {
        let root = path(&format!("kept-{of}-{}", scale.is_some()));
        fs::create_dir_all(root.join("figures")).unwrap();
        fs::write(root.join("report.html"), "<meta name=\"generator\" content=\"Saltflat 0.1.0\"/>").unwrap();
        let summary = serde_json::json!({ "made_from": { "study": of, "scale": scale } });
        fs::write(root.join("summary.json"), summary.to_string()).unwrap();
        assert_eq!(StudyFolder::check_owner(&root, &study).is_ok(), fits, "{of} {scale:?}");
        assert_eq!(create(&root, &study).is_ok(), fits, "{of} {scale:?}");
    }

    // The same file goes on, also edited, and so does the same content elsewhere.
    let root = path("out");
    create(&root, &study).unwrap();
    create(&root, &read("one/s.toml", "same", "[[stage]]\nname = \"more\"\n", None)).unwrap();
    create(&root, &read("moved/s.toml", "same", "[[stage]]\nname = \"more\"\n", None)).unwrap();
    let other = read("two/s.toml", "same", "seeds = 2\n", None);
    for error in [StudyFolder::check_owner(&root, &other).unwrap_err(), create(&root, &other).unwrap_err()] {
        let said = error.to_string();
        assert!(error.is_bad_input() && said.contains("moved/s.toml") && said.contains("two/s.toml"), "{said}");
        assert!(said.contains("--out") && said.contains("study.name"), "{said}");
    }
    // A scale and a name that make the same folder.
    let scaled = read("three/s.toml", "same", "[scale.b]\n", Some("b"));
    let named = read("four/s.toml", "same-b", "", None);
    assert_eq!(scaled.name(), named.name());
    create(&path("scaled"), &scaled).unwrap();
    let said = create(&path("scaled"), &named).unwrap_err().to_string();
    assert!(said.contains("study same at scale b of") && said.contains("study same-b of"), "{said}");
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
    let first = create(&root, &read(TWO_STAGES)).unwrap();
    assert_eq!(first.entries(), StudyFolder::open(&root).unwrap().entries());
    // A run that exists pins its configuration; the others may change.
    fs::create_dir(root.join("start/s0")).unwrap();
    create(&root, &read(&TWO_STAGES.replace("0.5]", "0.7]"))).unwrap();
    let changed = read(&TWO_STAGES.replace("probability = 0.2", "probability = 0.3"));
    let error = create(&root, &changed).unwrap_err().to_string();
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

/// Each stage's array waits for the stages that its runs start from, the page for all. Bash runs the scripts, wherever the study
/// lies and whatever its parts are called, and the program gets the words that it should.
#[test]
#[cfg(unix)]
fn jobs_of_slurm() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    // What a shell, sbatch or a template might take for something else.
    let root = folder.path().join("it's \"here\" $HOME `x` @COMMAND@ @NAME@ 50%A #1");
    let bin = folder.path().join("my programs");
    fs::create_dir(&bin).unwrap();
    let script = |name: &str, text: &str| {
        let path = bin.join(name);
        fs::write(&path, format!("#!/usr/bin/env bash\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    };
    let program = script("salt flat", "printf '%s\\n' \"$@\" end >> \"$WORDS\"");
    // Runs what it is given, as the last task of its array.
    script(
        "sbatch",
        "printf '%s\\n' \"$@\" end >> \"$CALLS\"; SLURM_ARRAY_TASK_ID=7 bash \"${@: -1}\"; echo $((17 + $(grep -cx end \"$CALLS\")))",
    );
    let file = folder.path().join("study.toml");
    fs::write(&file, format!("{BASE}{TWO_STAGES}")).unwrap();
    let study = Study::new(StudyFile::read(&file).unwrap(), &file, None).unwrap();
    let made = create(&root, &study).unwrap();
    let (device, data) = ("NVIDIA \"H200\" NVL's @LOG@", folder.path().join("all data"));
    let job = slurm::Job { program: &program, device, data_dir: Some(&data) };
    let written = slurm::emit(&made, &job).unwrap();
    let text = |name: &str| fs::read_to_string(root.join("slurm").join(name)).unwrap();
    assert!(text("start.sbatch").contains("#SBATCH --array=0-1\n"));
    assert!(text("escape.sbatch").contains("#SBATCH --array=2-9\n"));
    // % has a meaning in the name of a log; the quotes are those of a shell.
    let log = format!(
        "#SBATCH --output='{}/logs/slurm-%A_%a.log'\n",
        root.to_str().unwrap().replace('\'', r"'\''").replace('%', "%%")
    );
    assert!(text("start.sbatch").contains(&log), "{}", text("start.sbatch"));
    assert_eq!(written.last().unwrap(), &root.join("slurm/submit.sh"));

    let (words, calls) = (folder.path().join("words"), folder.path().join("calls"));
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut submit = std::process::Command::new("bash");
    submit.arg(root.join("slurm/submit.sh")).args(["--time=1:00:00", "--comment=two words"]);
    let output = submit.env("PATH", path).env("WORDS", &words).env("CALLS", &calls).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lists = |path: &Path| -> Vec<Vec<String>> {
        let text = fs::read_to_string(path).unwrap();
        text.split_terminator("end\n").map(|words| words.lines().map(String::from).collect()).collect()
    };
    let root = root.to_str().unwrap();
    let common = ["study", root, "--data-dir", data.to_str().unwrap()];
    let task = [&common[..], &["--devices", device, "--task", "7"]].concat();
    assert_eq!(lists(&words), [task.clone(), task, [&common[..], &["--page"]].concat()]);
    let options = ["--parsable", "--time=1:00:00", "--comment=two words"];
    let call = |more: &[&str], file: &str| {
        let file = format!("{root}/slurm/{file}.sbatch");
        options.iter().chain(more).map(ToString::to_string).chain([file]).collect::<Vec<_>>()
    };
    let dependencies = ["--dependency=afterany:18", "--dependency=afterany:18:19"];
    assert_eq!(
        lists(&calls),
        [call(&[], "start"), call(&dependencies[..1], "escape"), call(&dependencies[1..], "page")]
    );

    // What cannot be written into a script is refused, and nothing else is written.
    for (name, expected) in [("a\nb", "without control characters"), ("a\\b", "without backslashes")] {
        let root = folder.path().join(name);
        let made = create(&root, &study).unwrap();
        let error = slurm::emit(&made, &job).unwrap_err();
        assert!(error.is_bad_input() && error.to_string().contains(expected), "{error}");
    }
}

/// A stage may be called as the job that writes the page.
#[test]
fn a_stage_that_is_called_page() {
    let folder = tempfile::tempdir().unwrap();
    let (root, file) = (folder.path().join("out"), folder.path().join("study.toml"));
    fs::write(&file, format!("{BASE}[[stage]]\nname = \"Page\"\n[[stage]]\nname = \"submit\"\n")).unwrap();
    let study = Study::new(StudyFile::read(&file).unwrap(), &file, None).unwrap();
    let job = slurm::Job { program: Path::new("/bin/true"), device: "cpu", data_dir: None };
    let written = slurm::emit(&create(&root, &study).unwrap(), &job).unwrap();
    let text = |path: &Path| fs::read_to_string(path).unwrap();
    assert_eq!(written.len(), 4);
    assert!(written[..2].iter().all(|path| text(path).contains("--array=") && text(path).contains("--task")));
    assert!(text(&written[2]).ends_with("--page\n") && text(&written[3]).contains("$here/Page.stage.sbatch"));
}
