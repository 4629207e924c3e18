//! Real runs that are killed, starved of disk and damaged: what goes on ends with the bytes of a run that was left alone, or
//! says what it lost. `SALTFLAT_FAULTS` says how many kills (docs/reliability.md was made with 50); without it there are a few.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::Duration,
};

use rand::RngExt;
use saltflat_random::{Key, Stream};
use support::{Place, Small, text};

/// Between two checkpoints.
const EVERY: u64 = 7;

/// Runs of a second or two, with a checkpoint in the middle of an epoch.
const KINDS: [&[&str]; 5] = [
    &["optimizer.momentum=0", "train.epochs=150"],
    &["noise={kind=\"sgd-covariance\", strength=0.01}", "train.epochs=120", "metrics.every_epochs=4"],
    &["optimizer.batch_size=\"full\"", "noise={kind=\"none\"}", "train.epochs=300", "metrics.trace=false"],
    &["metrics.eigenvalues={largest=2, products=20}", "train.epochs=60", "metrics.alignment=false"],
    &[
        "noise={kind=\"parameter-gaussian\", sigma=0.01}",
        "schedule={kind=\"warmup-cosine\", warmup_steps=20}",
        "train.epochs=150",
        "metrics.every_steps=9",
    ],
];

fn settings(kind: usize) -> Vec<String> {
    let checkpoint = format!("train.checkpoint={{every_steps={EVERY}, keep=3}}");
    let all = KINDS[kind].iter().map(ToString::to_string).chain([checkpoint]);
    all.flat_map(|pair| ["--set".into(), pair]).collect()
}

fn begin(place: &Place, kind: usize, run: &str) -> Command {
    let mut command = place.command(&["train", "tiny.toml", "--device", "cpu", "--out", run]);
    command.args(settings(kind)).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn go_on(place: &Place, run: &str) -> Command {
    let mut command = place.command(&["train", "--resume", run, "--device", "cpu"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// What is kept of a run: its rows and its last weights.
fn kept(place: &Place, run: &str) -> (String, Vec<u8>) {
    (place.read(&format!("{run}/metrics.jsonl")), place.weights(run))
}

/// Steps that the newest row knows.
fn steps(place: &Place, run: &str) -> u64 {
    let rows = fs::read_to_string(place.path(run).join("metrics.jsonl")).unwrap_or_default();
    let whole = rows.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let steps = whole.filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok()?["step"].as_u64());
    steps.max().unwrap_or(0)
}

/// Where each process that went on began.
fn resumed_at(place: &Place, run: &str) -> Vec<u64> {
    let log = fs::read_to_string(place.path(run).join("log.txt")).unwrap_or_default();
    let said = log.lines().filter_map(|line| line.split_once("resumed at step ")?.1.split(',').next()?.parse().ok());
    said.collect()
}

/// Killed at random moments, also while it starts, saves and measures.
#[test]
fn killed_at_random_moments() {
    let place = Place::new();
    let count = support::faults(6);
    let (mut kills, mut lost, mut most, mut kind, mut runs) = (0, 0, 0, 0, 0);
    let mut moments = Key::new(1, Stream::Probe, 0).rng();
    while kills < count {
        let (whole, run) = (format!("whole-{kind}"), format!("killed-{runs}"));
        if !place.path(&whole).exists() {
            assert!(begin(&place, kind, &whole).status().unwrap().success());
        }
        let mut child = begin(&place, kind, &run).spawn().unwrap();
        let enough = count.min(kills + count.div_ceil(KINDS.len()));
        loop {
            thread::sleep(Duration::from_millis(moments.random_range(0..700)));
            if kills == enough || child.try_wait().unwrap().is_some() {
                break;
            }
            child.kill().unwrap();
            child.wait().unwrap();
            kills += 1;
            if !place.path(&run).join("status.json").exists() {
                // Killed before there was a run: nothing to go on with, and nothing lost.
                let _ = fs::remove_dir_all(place.path(&run));
                child = begin(&place, kind, &run).spawn().unwrap();
                continue;
            }
            let (before, earlier) = (steps(&place, &run), resumed_at(&place, &run).len());
            child = go_on(&place, &run).spawn().unwrap();
            while resumed_at(&place, &run).len() == earlier {
                assert!(child.try_wait().unwrap().is_none_or(|status| status.success()), "it cannot go on");
                if child.try_wait().unwrap().is_some() {
                    break; // It was killed after its last word.
                }
                thread::sleep(Duration::from_millis(2));
            }
            if let Some(&at) = resumed_at(&place, &run).get(earlier) {
                lost += before.saturating_sub(at);
                most = most.max(before.saturating_sub(at));
            }
        }
        assert!(child.wait().unwrap().success());
        assert!(kept(&place, &run) == kept(&place, &whole), "{run} is not as {whole}");
        fs::remove_dir_all(place.path(&run)).unwrap();
        runs += 1;
        kind = (kind + 1) % KINDS.len();
    }
    eprintln!(
        "{kills} kills of {runs} runs, all resumed to the same bytes; {lost} steps made twice, at most {most} at once"
    );
    // Rows are told at epochs, of 4 steps at most, so what they know is behind by that.
    assert!(most <= EVERY, "{most} steps were lost, checkpoints are {EVERY} apart");
}

/// A run that was stopped in its middle, and the same run left alone.
fn stopped(place: &Place, run: &str) {
    if !place.path("whole").exists() {
        assert!(begin(place, 0, "whole").status().unwrap().success());
    }
    let mut child = begin(place, 0, run).spawn().unwrap();
    while steps(place, run) < 60 {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

fn newest(place: &Place, run: &str, extension: &str) -> PathBuf {
    let mut sidecars: Vec<_> = fs::read_dir(place.path(run).join("checkpoints"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    sidecars.sort();
    sidecars.pop().unwrap().with_extension(extension)
}

fn finish(place: &Place, run: &str) -> Output {
    let output = go_on(place, run).stderr(Stdio::piped()).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(kept(place, run) == kept(place, "whole"), "{run} is not as the whole");
    output
}

/// The newest checkpoint is cut off, or has one bit of another value, in each of its files.
#[test]
fn damaged_checkpoints() {
    let place = Place::new();
    for (i, extension) in ["safetensors", "state.safetensors", "json"].into_iter().enumerate() {
        for flip in [false, true] {
            let run = &format!("damaged-{i}-{flip}");
            stopped(&place, run);
            let path = newest(&place, run, extension);
            let mut bytes = fs::read(&path).unwrap();
            let middle = bytes.len() / 2;
            match flip {
                true => bytes[middle] ^= 4,
                false => bytes.truncate(middle),
            }
            fs::write(&path, bytes).unwrap();
            let said = text(&finish(&place, run).stderr);
            assert!(said.contains("is skipped: "), "{extension}, flipped: {flip}: {said}");
        }
    }
}

/// `metrics.jsonl` ends in the middle of a line; of rows that belong to the newest checkpoint, too.
#[test]
fn rows_cut_off() {
    let place = Place::new();
    for rows in [0, 3] {
        let run = &format!("cut-{rows}");
        stopped(&place, run);
        let path = place.path(run).join("metrics.jsonl");
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let (whole, torn) = (lines.len() - 1 - rows, lines[lines.len() - 1 - rows]);
        fs::write(&path, lines[..whole].concat() + &torn[..torn.len() / 3]).unwrap();
        finish(&place, run);
    }
}

/// A disk that is full ends the run with a status, at a checkpoint or at a row; with more room it goes on.
#[test]
fn full_disks() {
    let place = Place::new();
    assert!(begin(&place, 0, "whole").status().unwrap().success());
    for kib in [70, 130, 190, 250] {
        let Some(small) = Small::mount(place.path(&format!("disk-{kib}")), kib) else {
            eprintln!("skipped: no file system can be mounted here");
            return;
        };
        let run = &format!("disk-{kib}/run");
        let mut all = begin(&place, 0, run);
        let output = all.args(["--set", "train.checkpoint.keep=1000"]).stderr(Stdio::piped()).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{kib} KiB: {said}");
        assert!(said.contains("No space left on device"), "{kib} KiB: {said}");
        small.grow(100_000);
        if !place.path(run).join("status.json").exists() {
            continue; // Not even the run's folder had room, and nothing of it stays.
        }
        let status: serde_json::Value = serde_json::from_str(&place.read(&format!("{run}/status.json"))).unwrap();
        assert_eq!(status["status"], "failed", "{kib} KiB: {status}");
        assert!(status["reason"].as_str().unwrap().contains("No space left"), "{status}");
        finish(&place, run);
    }
}

/// A results folder that is removed under the run.
#[test]
fn a_folder_that_vanishes() {
    let place = Place::new();
    let mut command = begin(&place, 0, "run");
    let child: Child = command.args(["--set", "train.epochs=1000000"]).stderr(Stdio::piped()).spawn().unwrap();
    while steps(&place, "run") < 12 {
        thread::sleep(Duration::from_millis(2));
    }
    let run: &Path = &place.path("run");
    fs::rename(run, place.path("elsewhere")).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("run: the folder was removed or renamed"), "{said}");
    assert!(!run.exists());
    fs::rename(place.path("elsewhere"), run).unwrap();
    let resumed =
        place.command(&["train", "--resume", "run", "--device", "cpu", "--time-limit", "1s"]).output().unwrap();
    assert!(resumed.status.success(), "{}", text(&resumed.stderr));
}
