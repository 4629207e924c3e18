//! A run whose folder is moved away while it runs, and a second run that makes the same folder: the first ends with an error and changes
//! nothing of the second, whatever it was to write next.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod support;

use std::{collections::BTreeMap, fs, path::Path, process::Stdio, thread, time::Duration};

use nix::sys::signal::Signal;
use support::{Place, send, text};

const ONE_LONG_EPOCH: [&str; 3] = ["data.limit=1000", "optimizer.batch_size=1", "metrics.enabled=false"];

/// What the first run writes next, its settings, and the signal that it gets.
const CASES: [(&str, &[&str], Option<Signal>); 4] = [
    ("a row", &["train.epochs=1000000", "metrics.every_epochs=1000"], None),
    ("a checkpoint", &["train.epochs=1000000", "train.checkpoint={every_steps=50, keep=3}"], None),
    (
        "the checkpoint and the status at SIGTERM",
        &["train.epochs=1000000", "train.checkpoint={every_minutes=60}"],
        Some(Signal::SIGTERM),
    ),
    ("the last row, checkpoint and status", &["train.epochs=4", "train.checkpoint={every_minutes=60}"], None),
];

/// Every file of a run, by its path.
fn files(run: &Path) -> BTreeMap<String, Vec<u8>> {
    let both = [run.to_path_buf(), run.join("checkpoints")];
    let paths = both.iter().flat_map(|folder| fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path());
    paths.filter(|path| path.is_file()).map(|path| (path.display().to_string(), fs::read(path).unwrap())).collect()
}

#[test]
fn the_first_of_two_writers_ends() {
    for (next, settings, told) in CASES {
        let place = Place::new();
        let run = place.path("run");
        let mut command = place.command(&["train", "tiny.toml", "--out", "run", "--device", "cpu"]);
        let long: &[&str] = if next == "a row" { &[] } else { &ONE_LONG_EPOCH };
        for setting in settings.iter().chain(long).chain(&["optimizer.lr=0.1"]) {
            command.args(["--set", setting]);
        }
        let first = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        while !fs::read_to_string(run.join("log.txt")).is_ok_and(|log| log.contains("steps of")) {
            thread::sleep(Duration::from_millis(2));
        }
        thread::sleep(Duration::from_millis(100));
        // Nothing is written between the two.
        send(Signal::SIGSTOP, first.id());
        fs::rename(&run, place.path("moved")).unwrap();
        place.trained(&["tiny.toml", "--out", "run", "--set", "optimizer.lr=0.001"]);
        let before = files(&run);
        send(Signal::SIGCONT, first.id());
        told.iter().for_each(|&signal| send(signal, first.id()));
        let output = first.wait_with_output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{next}: {said}");
        assert!(
            said.contains("saltflat: run: the folder was removed and made again by another process"),
            "{next}: {said}"
        );
        let after = files(&run);
        let changed: Vec<&String> =
            before.keys().chain(after.keys()).filter(|name| before.get(*name) != after.get(*name)).collect();
        assert!(changed.is_empty(), "{next}: {changed:?}");
    }
}
