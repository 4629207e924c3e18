//! `saltflat train --resume` after an edit, with `--set`, and of a finished run.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::{Value, json};
use support::{Place, text};

fn json(place: &Place, file: &str) -> Value {
    serde_json::from_str(&place.read(file)).unwrap()
}

/// A run of 600 steps that SIGTERM stopped.
fn stopped(place: &Place, run: &str) {
    let mut command =
        place.command(&["train", "tiny.toml", "--device", "cpu", "--out", run, "--set", "train.epochs=150"]);
    let mut child = command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    let rows = || std::fs::read_to_string(place.path(run).join("metrics.jsonl")).unwrap_or_default().lines().count();
    while rows() < 5 {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    support::send(nix::sys::signal::Signal::SIGTERM, child.id());
    assert_eq!(child.wait().unwrap().code(), Some(143));
}

/// An edit that would change the steps is refused as bad input, on stderr and in the status, with both values; undone, the run goes
/// on and ends as one that was left alone.
#[test]
fn an_edit_is_refused_and_undone() {
    let place = Place::new();
    stopped(&place, "run");
    let step = json(&place, "run/status.json")["step"].clone();
    let config = place.read("run/config.toml");
    place.write("run/config.toml", config.replace("batch_size = 30", "batch_size = 60").replace("0.9", "0.8"));
    let output = place.train(&["--resume", "run"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    let status = json(&place, "run/status.json");
    assert_eq!((&status["status"], &status["step"]), (&json!("failed"), &step));
    for said in [said.as_str(), status["reason"].as_str().unwrap()] {
        assert!(said.contains("optimizer.batch_size: 30 then, 60 now"), "{said}");
        assert!(said.contains("optimizer.momentum: 0.9 then, 0.8 now"), "{said}");
    }
    // The command line alone is refused without a word in the folder.
    let before = place.read("run/status.json");
    assert_eq!(place.train(&["--resume", "run", "--set", "data.limit=50"]).status.code(), Some(2));
    assert_eq!(place.read("run/status.json"), before);
    // Other data: the status says so, too.
    place.write("run/config.toml", config);
    let env = place.read("run/env.json");
    let mut other: Value = serde_json::from_str(&env).unwrap();
    other["datasets"][0]["sha256"] = json!("0123");
    place.write("run/env.json", other.to_string());
    assert_eq!(place.train(&["--resume", "run"]).status.code(), Some(2));
    let status = json(&place, "run/status.json");
    assert!(status["reason"].as_str().unwrap().contains("had SHA-256 0123 when the run began"), "{status}");
    place.write("run/env.json", env);
    place.trained(&["--resume", "run"]);
    place.trained(&["tiny.toml", "--out", "whole", "--set", "train.epochs=150"]);
    assert_eq!(place.read("run/metrics.jsonl"), place.read("whole/metrics.jsonl"));
    assert!(place.weights("run") == place.weights("whole"));
}

/// What may change is said, logged and written down; `config.toml` is that of now.
#[test]
fn what_may_change_is_said() {
    let place = Place::new();
    stopped(&place, "run");
    let output = place.trained(&["--resume", "run", "--set", "metrics.trace.probes=2", "--set", "train.epochs=140"]);
    for said in [text(&output.stderr), place.read("run/log.txt")] {
        assert!(said.contains("its configuration has changed: train.epochs: 150 then, 140 now"), "{said}");
        assert!(said.contains("its configuration has changed: metrics.trace.probes: 3 then, 2 now"), "{said}");
    }
    assert!(place.read("run/config.toml").contains("epochs = 140"));
    let changes = &json(&place, "run/env.json")["resumed"][0]["config_changes"];
    assert!(
        changes.as_array().unwrap().contains(&json!({"key": "train.epochs", "then": 150, "now": 140})),
        "{changes}"
    );
}

/// A finished run goes on with more epochs, and its files are those of a run that had as many from the beginning; without more it
/// is finished, whatever else is asked for.
#[test]
fn a_finished_run_goes_on() {
    let place = Place::new();
    place.trained(&["tiny.toml", "--out", "run"]);
    let before = place.read("run/status.json");
    for same in [&[][..], &["--set", "train.epochs=2"], &["--set", "metrics.trace=false"], &["--set", "train.epochs=1"]]
    {
        let output = place.trained(&[&["--resume", "run"], same].concat());
        assert!(text(&output.stderr).contains("is finished: 8 steps"), "{}", text(&output.stderr));
        assert_eq!(place.read("run/status.json"), before);
    }
    place.trained(&["--resume", "run", "--set", "train.epochs=5"]);
    assert_eq!(json(&place, "run/status.json")["reason"], "20 steps");
    place.trained(&["tiny.toml", "--out", "whole", "--set", "train.epochs=5"]);
    assert_eq!(place.read("run/metrics.jsonl"), place.read("whole/metrics.jsonl"));
    assert!(place.weights("run") == place.weights("whole"));
    // An edit of the file does the same.
    let config = place.read("run/config.toml").replace("epochs = 5", "epochs = 6");
    place.write("run/config.toml", config);
    place.trained(&["--resume", "run"]);
    assert_eq!(json(&place, "run/status.json")["reason"], "24 steps");
    // Without a checkpoint there is nothing to go on from; its rows stay.
    std::fs::remove_dir_all(place.path("run/checkpoints")).unwrap();
    std::fs::create_dir(place.path("run/checkpoints")).unwrap();
    let rows = place.read("run/metrics.jsonl");
    let output = place.train(&["--resume", "run", "--set", "train.epochs=7"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("has no whole checkpoint"), "{}", text(&output.stderr));
    assert_eq!((place.read("run/metrics.jsonl"), place.train(&["--resume", "run"]).status.code()), (rows, Some(0)));
}

/// Tensors that lie elsewhere, under a name that is spelled differently, are the same data.
#[test]
fn data_that_were_moved() {
    let place = Place::new();
    let head = r#"{"inputs":{"dtype":"U8","shape":[4,3],"data_offsets":[0,12]},"labels":{"dtype":"U8","shape":[4],"data_offsets":[12,16]}}"#;
    let head = format!("{head:<128}");
    let bytes: Vec<u8> = (1..=12).map(|x| 20 * x).chain([0, 1, 0, 1]).collect();
    let file = [&128_u64.to_le_bytes(), head.as_bytes(), &bytes].concat();
    place.write("data.safetensors", &file);
    place.write(
        "tensors.toml",
        "data = { kind = 'tensors', path = 'data.safetensors' }
         model = { kind = 'mlp', hidden = [3] }
         loss.kind = 'cross_entropy'
         optimizer = { lr = 0.1, batch_size = 2 }
         train.epochs = 2
         metrics = { trace = false, alignment = false }",
    );
    place.trained(&["tensors.toml", "--out", "run"]);
    std::fs::create_dir(place.path("elsewhere")).unwrap();
    std::fs::rename(place.path("data.safetensors"), place.path("elsewhere/moved.safetensors")).unwrap();
    let moved = format!("data.path={}", place.path("elsewhere/../elsewhere/moved.safetensors").display());
    place.trained(&["--resume", "run", "--set", &moved, "--set", "train.epochs=3"]);
    // Another file in its place is not.
    let mut other = file;
    *other.last_mut().unwrap() = 0;
    place.write("elsewhere/moved.safetensors", other);
    let output = place.train(&["--resume", "run", "--set", "train.epochs=4"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("its data have changed"), "{}", text(&output.stderr));
}
