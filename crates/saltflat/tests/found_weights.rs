//! Weights that are not of a run, by every command that reads them: other names, several files, and what is said of them.
#![allow(clippy::unwrap_used)]

mod support;

use std::{collections::BTreeMap, fs, path::Path, process::Output};

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use support::{Place, text};

type All = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

/// The weights at the end of a run.
fn weights(place: &Place, run: &str) -> All {
    let bytes = fs::read(place.path(run).join("checkpoints/step-00000008.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap().tensors();
    tensors.into_iter().map(|(name, x)| (name, (x.dtype(), x.shape().to_vec(), x.data().to_vec()))).collect()
}

fn write(path: &Path, all: &All, name: impl Fn(&str) -> String) {
    let views = all
        .iter()
        .map(|(old, (dtype, shape, bytes))| (name(old), TensorView::new(*dtype, shape.clone(), bytes).unwrap()));
    fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

/// Whether `measure` finds the same norm of the weights and the same loss as at the run, and what it says.
fn measured(place: &Place, weights: &str, more: &[&str]) -> (bool, String) {
    let found = |weights: &str, more: &[&str]| -> Output {
        let args = [
            "measure",
            "tiny.toml",
            "--weights",
            weights,
            "--metrics",
            "loss,weight_norm",
            "--device",
            "cpu",
            "--json",
            "-",
        ];
        place.command(&[&args[..], more].concat()).output().unwrap()
    };
    let metrics = |output: &Output| {
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        json["metrics"].clone()
    };
    let (expected, found) = (found("run", &[]), found(weights, more));
    assert!(metrics(&expected)["loss"].is_object(), "{}", text(&expected.stderr));
    (metrics(&expected) == metrics(&found), text(&found.stderr))
}

fn place() -> Place {
    let place = Place::new();
    place.trained(&["tiny.toml", "--out", "run"]);
    place
}

#[test]
fn names_are_found_or_mapped_by_every_command() {
    let place = place();
    let all = weights(&place, "run");
    write(&place.path("wrapped.safetensors"), &all, |name| format!("_orig_mod.module.{name}"));
    let (equal, said) = measured(&place, "wrapped.safetensors", &[]);
    let note = "note: wrapped.safetensors: the beginning \"_orig_mod.module.\" of its names, which torch.compile writes, is taken off";
    assert!(equal && said.contains(note), "{said}");
    write(&place.path("other.safetensors"), &all, |name| {
        name.replace("layers.0.", "net.first.").replace("layers.1.", "net.last.")
    });
    let (equal, said) = measured(&place, "other.safetensors", &[]);
    for part in [
        "other.safetensors does not fit the network",
        "net.first.weight  [8, 784]",
        "layers.0.weight",
        "--rename OLD=NEW",
    ] {
        assert!(!equal && said.contains(part), "no {part:?} in {said}");
    }
    let (equal, said) =
        measured(&place, "other.safetensors", &["--rename", "net.first.=layers.0.", "--rename", "net.last.=layers.1."]);
    assert!(equal, "{said}");
    let table = "train.rename={\"net.first.\" = \"layers.0.\", \"net.last.\" = \"layers.1.\"}";
    let (equal, said) = measured(&place, "other.safetensors", &["--set", table]);
    assert!(equal, "{said}");
    // The names of a run are those of its network: what stands in its configuration for its start is not for them.
    let (equal, said) = measured(&place, "run/checkpoints/step-00000008.safetensors", &["--set", table]);
    assert!(equal, "{said}");
    // A run that starts there, resumed, and a study.
    let start = ["--set", "train.init=\"other.safetensors\"", "--set", table, "--set", "train.steps=2"];
    place.trained(&[&["tiny.toml", "--out", "mapped"], &start[..]].concat());
    let config = place.read("mapped/config.toml");
    assert!(config.contains("[train.rename]") && config.contains("\"net.first.\" = \"layers.0.\""), "{config}");
    let plain = ["tiny.toml", "--out", "plain", "--set", "train.init=\"run\"", "--set", "train.steps=2"];
    place.trained(&plain);
    assert_eq!(place.weights("mapped"), place.weights("plain"));
    place.write(
        "study.toml",
        "[study]\nname = \"s\"\nbase = \"tiny.toml\"\n[base.train.rename]\n\"net.first.\" = \"layers.0.\"\n\"net.last.\" = \"layers.1.\"\n\
         [[stage]]\nname = \"one\"\nfrom = \"other.safetensors\"\n[[stage]]\nname = \"two\"\nfrom = \"one\"\n",
    );
    let output = place.command(&["study", "study.toml", "--devices", "cpu"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
fn several_files_and_their_index() {
    let place = place();
    let all = weights(&place, "run");
    let folder = place.path("sharded");
    fs::create_dir(&folder).unwrap();
    let part = |end: &str| {
        all.iter().filter(|(name, _)| name.ends_with(end)).map(|(name, x)| (name.clone(), x.clone())).collect::<All>()
    };
    let mut map = BTreeMap::new();
    for (file, end) in [("a.safetensors", "weight"), ("b.safetensors", "bias")] {
        write(&folder.join(file), &part(end), str::to_string);
        map.extend(part(end).into_keys().map(|name| (name, file)));
    }
    let index = serde_json::json!({ "metadata": { "total_size": 0 }, "weight_map": map }).to_string();
    fs::write(folder.join("model.safetensors.index.json"), &index).unwrap();
    for weights in ["sharded", "sharded/model.safetensors.index.json"] {
        let (equal, said) = measured(&place, weights, &[]);
        assert!(equal, "{said}");
    }
    // The checksum of a start is about all files: another one of them is another start.
    place.write(
        "study.toml",
        "[study]\nname = \"s\"\nbase = \"tiny.toml\"\n[[stage]]\nname = \"one\"\nfrom = \"./sharded\"\n",
    );
    let output = place.command(&["study", "study.toml", "--devices", "cpu"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let config = place.read("results/s/one/s0/config.toml");
    let sum =
        config.lines().find_map(|line| line.strip_prefix("init_sha256 = ")).unwrap().trim_matches('"').to_string();
    let again = [
        "tiny.toml",
        "--out",
        "again",
        "--set",
        "train.init=\"sharded\"",
        "--set",
        &format!("train.init_sha256=\"{sum}\""),
    ];
    place.trained(&again);
    let mut biases = part("bias");
    biases.values_mut().for_each(|(_, _, bytes)| bytes.fill(0));
    write(&folder.join("b.safetensors"), &biases, str::to_string);
    let output = place.train(&[&again[..2], &["other"], &again[3..]].concat());
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains(&format!("expected is {sum}")), "{}", text(&output.stderr));
    fs::remove_file(folder.join("b.safetensors")).unwrap();
    let (_, said) = measured(&place, "sharded", &[]);
    for part in [
        "sharded/b.safetensors: ",
        "the index sharded/model.safetensors.index.json places layers.0.bias and 1 more tensors in it",
    ] {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
    fs::remove_file(folder.join("model.safetensors.index.json")).unwrap();
    let (_, said) = measured(&place, "sharded", &[]);
    assert!(said.contains("it holds no folder checkpoints, and no model.safetensors.index.json either"), "{said}");
}

/// Of weights from elsewhere is said what their file does not say, of those of a run nothing.
#[test]
fn groups_are_taken_from_the_configuration() {
    let place = Place::new();
    let resnet = "kind = \"resnet\"\nwidth = 4\nblocks = [1]\nchannels_per_group = 2";
    place.write("tiny.toml", support::TINY.replace("kind = \"mlp\"\nhidden = [8]", resnet));
    place.trained(&["tiny.toml", "--out", "run", "--set", "metrics.enabled=false"]);
    let of_run = measured(&place, "run", &[]).1;
    assert!(!of_run.contains("note:"), "{of_run}");
    write(&place.path("elsewhere.safetensors"), &weights(&place, "run"), str::to_string);
    let (equal, said) = measured(&place, "elsewhere.safetensors", &[]);
    assert!(equal, "{said}");
    let note = "note: elsewhere.safetensors: taken from [model], since a file of weights does not say it: group norm with 2 groups of 2 channels";
    assert!(said.contains(note), "{said}");
}

#[test]
fn maps_that_are_wrong_are_explained() {
    let place = place();
    write(&place.path("w.safetensors"), &weights(&place, "run"), str::to_string);
    for (more, parts) in [
        (["--rename", "layers.0"], ["--rename", "expected OLD=NEW, got layers.0"]),
        (
            ["--rename", "layer.0.=a."],
            ["w.safetensors: rename: no name in the file has \"layer.0.\"", "did you mean layers.?"],
        ),
        (
            ["--rename", "layers.0.bias=layers.0.weight"],
            ["rename: layers.0.bias and layers.0.weight would both be", "a name of its own"],
        ),
        (["--rename", "layers.0.=a"], ["--rename: \"layers.0.\" = \"a\": expected", "a dot at its end, or nothing"]),
        (["--set", "train.rename={\"a.\" = \"b\"}"], ["train.rename: \"a.\" = \"b\": expected", "a dot at its end"]),
        (["--set", "train.rename={\"a\" = 1}"], ["train.rename.a: expected", "got 1"]),
        (["--set", "train.rename=3"], ["train.rename: expected a table", "got 3"]),
    ] {
        let (_, said) = measured(&place, "w.safetensors", &more);
        assert!(parts.iter().all(|part| said.contains(part)), "{more:?}: no {parts:?} in {said}");
    }
}
