//! Messages about studies that cannot be expanded.

use std::path::Path;

use saltflat_study::{Study, StudyFile};

use crate::{BASE, problems, study};

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
