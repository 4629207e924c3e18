//! A study of four runs of some seconds, to interrupt.
#![allow(clippy::unwrap_used)]

use std::{
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use super::{Place, TINY, assert_same_results, base_of, rows, status, text};

pub const RUNS: [&str; 4] = ["a/s0", "a/s1", "a/s2", "a/s3"];

/// Four runs, which nothing but a signal saves in their middle.
pub fn place(epochs: usize, metrics: &str) -> Place {
    let place = Place::new();
    let tiny =
        TINY.replace("epochs = 2", &format!("epochs = {epochs}\ncheckpoint = {{ every_minutes = 60, keep = 1 }}"));
    let base = base_of(&tiny).replace("[base.metrics]", &format!("[base.metrics]\n{metrics}"));
    place.write("study.toml", format!("[study]\nname = \"s\"\n{base}\n[[stage]]\nname = \"a\"\nseeds = 4\n"));
    place
}

pub fn study_of(place: &Place, out: &str, jobs: &str) -> Command {
    let mut command = place.command(&["study", "study.toml", "--devices", "cpu", "--jobs", jobs, "--out", out]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

pub fn study(place: &Place, out: &str) -> Command {
    study_of(place, out, "4")
}

/// Waits until every run is in its middle.
pub fn wait_for_all(place: &Place, out: &str, process: &mut Child) {
    while RUNS.iter().any(|run| rows(&place.path(out).join(run)) < 12) {
        assert!(process.try_wait().unwrap().is_none(), "the study ended by itself");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Every run was saved for this reason.
pub fn all_saved(place: &Place, out: &str, reason: &str) {
    for run in RUNS {
        let found = status(&place.path(out).join(run));
        assert_eq!(found["status"], "interrupted", "{run}: {found}");
        assert!(found["reason"].as_str().unwrap().starts_with(&format!("stopped by {reason} after step")), "{found}");
    }
}

/// Goes on to the end, which is that of a study that was left alone.
pub fn goes_on(place: &Place, out: &str) {
    let output =
        place.command(&["study", "study.toml", "--devices", "cpu", "--jobs", "2", "--out", out]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(!text(&output.stderr).contains("failed"), "{}", text(&output.stderr));
    assert!(study(place, "whole").status().unwrap().success());
    assert_same_results(&place.path("whole"), &place.path(out));
}
