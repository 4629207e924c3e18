//! Two signals at random moments, to a process and to its group: everything is saved, and what goes on ends with the bytes of what was
//! left alone. `SALTFLAT_FAULTS` says how many pairs; without it there are a few.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod support;

use std::{
    fs,
    os::unix::process::{CommandExt, ExitStatusExt},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use nix::sys::signal::Signal::{self, SIGINT, SIGTERM, SIGUSR1};
use rand::RngExt;
use saltflat_random::{Key, Stream};
use support::{
    Place, assert_same_results, faults, saved_step, send, send_to_group, status,
    studies::{RUNS, place, study},
    text,
};

const PAIRS: [[Signal; 2]; 6] = [
    [SIGTERM, SIGTERM],
    [SIGINT, SIGTERM],
    [SIGTERM, SIGINT],
    [SIGINT, SIGINT],
    [SIGUSR1, SIGTERM],
    [SIGUSR1, SIGUSR1],
];

/// What was found in all trials.
#[derive(Debug, Default)]
struct Found {
    /// Ended before a signal came, or before there was anything to save.
    ended: usize,
    before_a_step: usize,
    saved: usize,
}

/// Sends two signals, each to the process or to its group, with random times before and between.
fn interrupt(mut process: Child, [one, two]: [Signal; 2], moments: &mut impl rand::Rng) -> ExitStatus {
    let mut signal = |signal, longest: u64, process: &mut Child| {
        thread::sleep(Duration::from_millis(moments.random_range(0..longest)));
        // Nobody else has its number before it has been waited for.
        if process.try_wait().unwrap().is_none() {
            match moments.random_bool(0.5) {
                true => send_to_group(signal, process.id()),
                false => send(signal, process.id()),
            }
        }
    };
    signal(one, 1500, &mut process);
    signal(two, 1000, &mut process);
    process.wait().unwrap()
}

/// Ended as the first or the second signal says, which of the two came first being the system's affair; or well, if all was done.
fn is_right(ended: ExitStatus, pair: [Signal; 2], is_before_a_step: bool, is_done: bool) -> bool {
    let codes = pair.map(|signal| match signal {
        SIGINT => 130,
        SIGTERM => 143,
        _ => 0,
    });
    ended.code().is_some_and(|code| is_done && code == 0 || codes.contains(&code))
        // So early that it had not begun to listen.
        || is_before_a_step && ended.signal().is_some_and(|number| pair.iter().any(|signal| *signal as i32 == number))
}

/// A run that made a step is saved at its last one.
fn look(run: &Path, found: &mut Found) {
    if !run.join("status.json").exists() {
        found.before_a_step += 1;
        return;
    }
    let now = status(run);
    let step = now["step"].as_u64().unwrap();
    match now["status"].as_str().unwrap() {
        "finished" => found.ended += 1,
        "interrupted" => {
            assert_eq!(saved_step(run), step, "{}: {now}", run.display());
            found.saved += 1;
        }
        // Its folder was made, and no step.
        "running" if step == 0 && support::rows(run) == 0 => found.before_a_step += 1,
        _ => panic!("{}: {now}", run.display()),
    }
}

fn begin(place: &Place, out: &str) -> Command {
    let mut command = place.command(&["train", "tiny.toml", "--device", "cpu", "--out", out]);
    command.args(["--set", "train.epochs=250", "--set", "train.checkpoint={every_minutes=60, keep=1}"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

#[test]
fn pairs_of_signals_to_runs() {
    let place = Place::new();
    assert!(begin(&place, "whole").status().unwrap().success());
    let (mut moments, mut found) = (Key::new(3, Stream::Probe, 0).rng(), Found::default());
    let trials = faults(6);
    for trial in 0..trials {
        let (pair, out) = (PAIRS[trial % PAIRS.len()], format!("run-{trial}"));
        let ended = interrupt(begin(&place, &out).process_group(0).spawn().unwrap(), pair, &mut moments);
        let (before, done) = (found.before_a_step, found.ended);
        look(&place.path(&out), &mut found);
        let (is_before, is_done) = (found.before_a_step > before, found.ended > done);
        assert!(is_right(ended, pair, is_before, is_done), "trial {trial}, {pair:?}: {ended:?}");
        let mut rest = match place.path(&out).exists() {
            true => place.command(&["train", "--resume", &out, "--device", "cpu"]),
            false => begin(&place, &out),
        };
        let output = rest.stderr(Stdio::piped()).output().unwrap();
        assert!(output.status.success(), "trial {trial}: {}", text(&output.stderr));
        assert_eq!(place.read(&format!("{out}/metrics.jsonl")), place.read("whole/metrics.jsonl"), "trial {trial}");
        assert!(place.weights(&out) == place.weights("whole"), "trial {trial}");
        fs::remove_dir_all(place.path(&out)).unwrap();
    }
    eprintln!("{trials} pairs of signals to runs, none unsaved: {found:?}");
}

#[test]
fn pairs_of_signals_to_studies() {
    let place = place(500, "every_epochs = 100");
    assert!(study(&place, "whole").status().unwrap().success());
    let (mut moments, mut found) = (Key::new(4, Stream::Probe, 0).rng(), Found::default());
    let trials = faults(6);
    for trial in 0..trials {
        let (pair, out) = (PAIRS[trial % PAIRS.len()], format!("out-{trial}"));
        let ended = interrupt(study(&place, &out).process_group(0).spawn().unwrap(), pair, &mut moments);
        assert!(place.processes("saltflat train").is_empty(), "trial {trial}: a run is left");
        let (before, done) = (found.before_a_step, found.ended);
        RUNS.iter().for_each(|run| look(&place.path(&out).join(run), &mut found));
        let [is_before, is_done] = [found.before_a_step - before, found.ended - done].map(|n| n == RUNS.len());
        assert!(is_right(ended, pair, is_before, is_done), "trial {trial}, {pair:?}: {ended:?}");
        let output = study(&place, &out).stderr(Stdio::piped()).output().unwrap();
        assert!(output.status.success(), "trial {trial}: {}", text(&output.stderr));
        assert_same_results(&place.path("whole"), &place.path(&out));
        fs::remove_dir_all(place.path(&out)).unwrap();
    }
    eprintln!("{trials} pairs of signals to studies, none unsaved: {found:?}");
}
