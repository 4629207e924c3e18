//! Event files of a run that was killed and resumed: every reader finds each step once.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod support;

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    process::{Child, Stdio},
    thread,
    time::Duration,
};

use serde_json::Value;
use support::Place;

/// What a reader that only parses finds: every scalar of every file, in the order of their names.
fn scalars(place: &Place, run: &str) -> BTreeMap<String, Vec<(u64, f32)>> {
    let mut found: BTreeMap<String, Vec<(u64, f32)>> = BTreeMap::new();
    let folder = fs::read_dir(place.path(run).join("tensorboard")).unwrap();
    let mut files: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for bytes in files.iter().map(|path| fs::read(path).unwrap()) {
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
            let event = fields(&rest[12..12 + length]);
            rest = &rest[16 + length..];
            let step = event.iter().find(|(number, _)| *number == 2).map_or(0, |(_, step)| varint(&mut &step[..]));
            for (_, summary) in event.iter().filter(|(number, _)| *number == 5) {
                for (_, value) in fields(summary) {
                    let value = fields(value);
                    let [tag, value] = [1, 2].map(|number| value.iter().find(|(n, _)| *n == number).unwrap().1);
                    let tag = String::from_utf8(tag.to_vec()).unwrap();
                    found.entry(tag).or_default().push((step, f32::from_le_bytes(value.try_into().unwrap())));
                }
            }
        }
    }
    found
}

/// The fields of a protobuf message: number and bytes.
fn fields(mut message: &[u8]) -> Vec<(u64, &[u8])> {
    let mut found = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message);
        let length = match key & 7 {
            0 => message.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1,
            1 => 8,
            2 => varint(&mut message) as usize,
            5 => 4,
            wire => panic!("wire type {wire}"),
        };
        found.push((key >> 3, &message[..length]));
        message = &message[length..];
    }
    found
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let length = bytes.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
    let value = bytes[..length].iter().rev().fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f));
    *bytes = &bytes[length..];
    value
}

fn rows(place: &Place, run: &str) -> Vec<Value> {
    let text = fs::read_to_string(place.path(run).join("metrics.jsonl")).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The loss of the epochs and of the measurements are those of the rows, step by step.
fn check(place: &Place, run: &str) {
    let (found, rows) = (scalars(place, run), rows(place, run));
    let of = |kind: &str, value: &dyn Fn(&Value) -> f64| -> Vec<(u64, f32)> {
        let rows = rows.iter().filter(|row| row["kind"] == kind);
        rows.map(|row| (row["step"].as_u64().unwrap(), value(row) as f32)).collect()
    };
    assert_eq!(found["train/running_loss"], of("epoch", &|row| row["running_loss"].as_f64().unwrap()));
    assert_eq!(found["metrics/loss"], of("measurement", &|row| row["metrics"]["loss"]["value"].as_f64().unwrap()));
    for (tag, points) in &found {
        assert!(points.windows(2).all(|pair| pair[0].0 < pair[1].0), "{tag}: {points:?}");
    }
}

fn wait_for_rows(place: &Place, run: &str, count: usize, child: &mut Child) {
    while rows(place, run).len() < count {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Killed twice between two checkpoints that are far apart, once with a torn record at the end.
#[test]
fn killed_and_resumed() {
    let place = Place::new();
    let start = |args: &[&str]| {
        let mut command = place.command(&[&["train", "--device", "cpu"], args].concat());
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let every = "train.checkpoint={every_steps = 30}";
    let mut child = start(&[
        "tiny.toml",
        "--out",
        "run",
        "--set",
        "run.tensorboard=true",
        "--set",
        "train.epochs=120",
        "--set",
        every,
    ]);
    let mut lost = 0;
    for (kill, more) in [40, 45].into_iter().enumerate() {
        let count = rows(&place, "run").len() + more;
        wait_for_rows(&place, "run", count, &mut child);
        child.kill().unwrap();
        child.wait().unwrap();
        let last = rows(&place, "run").iter().rfind(|row| row["kind"] == "epoch").unwrap()["step"].as_u64().unwrap();
        if kill == 1 {
            let file =
                fs::read_dir(place.path("run/tensorboard")).unwrap().map(|entry| entry.unwrap().path()).max().unwrap();
            fs::File::options().append(true).open(file).unwrap().write_all(&[24, 0, 0, 0, 0, 0, 0, 0, 163]).unwrap();
        }
        child = start(&["--resume", "run"]);
        while place.read("run/log.txt").matches("resumed at step").count() <= kill {
            assert!(child.try_wait().unwrap().is_none_or(|code| code.success()));
            thread::sleep(Duration::from_millis(2));
        }
        let log = place.read("run/log.txt");
        let said = log.rsplit_once("resumed at step ").unwrap().1;
        lost += last.saturating_sub(said.split_once(',').unwrap().0.parse().unwrap());
    }
    assert!(child.wait().unwrap().success());
    assert!(lost > 0, "no step was made twice: choose another moment");
    check(&place, "run");
    // Of three processes.
    assert_eq!(fs::read_dir(place.path("run/tensorboard")).unwrap().count(), 3);
}

/// A run that was never stopped, and goes on with more epochs.
#[test]
fn longer() {
    let place = Place::new();
    place.trained(&["tiny.toml", "--out", "run", "--set", "run.tensorboard=true"]);
    check(&place, "run");
    place.trained(&["--resume", "run", "--set", "train.epochs=4"]);
    check(&place, "run");
}
