//! Processes of runs that cannot be started, and ends that nobody explains: the reason is said.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod support;

use std::{fs, process::Command, process::Stdio};

use support::{
    Place, Small,
    studies::{RUNS, place, study_of, wait_for_all},
    text,
};

/// The logs are taken away while runs are at work: what cannot be started is said, and the others are saved.
#[test]
fn logs_that_are_gone() {
    let place = place(200, "every_epochs = 100");
    let mut process = study_of(&place, "out", "2").stderr(Stdio::piped()).spawn().unwrap();
    while ["a/s0", "a/s1"].iter().any(|run| support::rows(&place.path("out").join(run)) < 12) {
        assert!(process.try_wait().unwrap().is_none(), "the study ended by itself");
    }
    fs::rename(place.path("out/logs"), place.path("away")).unwrap();
    // Made again.
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));

    let mut process = study_of(&place, "cut", "2").stderr(Stdio::piped()).spawn().unwrap();
    while ["a/s0", "a/s1"].iter().any(|run| support::rows(&place.path("cut").join(run)) < 12) {
        assert!(process.try_wait().unwrap().is_none(), "the study ended by itself");
    }
    fs::rename(place.path("cut/logs"), place.path("away-too")).unwrap();
    place.write("cut/logs", "in the way");
    // One of the two is ended, so that the next is to start.
    assert_eq!(place.kill("saltflat train cut/configs/a/s0.toml"), 1);
    let output = process.wait_with_output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let last = said.lines().last().unwrap();
    assert!(last.starts_with("saltflat: a/s2: its process cannot be started: cut/logs"), "{said}");
    assert!(said.contains("a/s0: failed") && said.contains("killed by SIGKILL"), "{said}");
    assert_eq!(support::status(&place.path("cut/a/s1"))["status"], "interrupted", "{said}");
    assert!(place.processes("saltflat train cut").is_empty());
}

/// Too few file descriptors, from nearly none on: the study ends well, or with the reason.
#[test]
fn too_few_descriptors() {
    let place = place(2, "every_epochs = 2");
    let (mut ended, mut refused) = (0, 0);
    for limit in (4..40).step_by(3).chain([64]) {
        let _ = fs::remove_dir_all(place.path("out"));
        let inner = study_of(&place, "out", "4");
        let mut command = Command::new("bash");
        command.args(["-c", "ulimit -n \"$0\"; exec \"$@\"", &limit.to_string()]);
        command.arg(inner.get_program()).args(inner.get_args()).current_dir(place.path(""));
        let output = command.env_remove("SALTFLAT_DATA").env("XDG_DATA_HOME", place.path("home")).output().unwrap();
        let said = text(&output.stderr);
        match output.status.code() {
            Some(0) => ended += 1,
            // The loader itself needs some.
            Some(127) if limit < 7 => {}
            Some(1 | 2) => {
                refused += 1;
                let reason = ["Too many open files", "No file descriptors available", "os error 24"];
                assert!(reason.iter().any(|reason| said.contains(reason)), "{limit}: {said}");
            }
            code => panic!("{limit}: {code:?}: {said}"),
        }
        assert!(place.processes("saltflat train").is_empty(), "{limit}");
    }
    assert!(ended > 0 && refused > 0, "{ended} ended, {refused} refused");
}

/// A full disk, under the log as well as under the run.
#[test]
fn full_disks() {
    let place = place(100, "every_epochs = 10");
    for kib in [24, 40, 60, 80, 100, 140] {
        let Some(small) = Small::mount(place.path(&format!("disk-{kib}")), kib) else {
            eprintln!("skipped: no file system can be mounted here");
            return;
        };
        let out = &format!("disk-{kib}/out");
        let output = study_of(&place, out, "1").stderr(Stdio::piped()).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{kib} KiB: {said}");
        assert!(said.contains("No space left on device"), "{kib} KiB: {said}");
        for line in said.lines().filter(|line| line.contains("failed")) {
            assert!(line.contains("No space left on device") || !line.contains(": failed, "), "{kib} KiB: {said}");
            assert!(!line.trim_end().ends_with("failed:") && !line.contains("running loss"), "{kib} KiB: {said}");
        }
        small.grow(100_000);
        let output = study_of(&place, out, "2").arg("--retry-failed").stderr(Stdio::piped()).output().unwrap();
        assert!(output.status.success(), "{kib} KiB: {}", text(&output.stderr));
        assert!(RUNS.iter().all(|run| support::status(&place.path(out).join(run))["status"] == "finished"));
    }
}

/// The system ends a run in its middle, by signals that say something each.
#[test]
fn the_reason_is_the_signal() {
    use nix::sys::signal::Signal;
    let place: Place = place(400, "every_epochs = 100");
    for (signal, reason) in [
        (Signal::SIGKILL, "killed by SIGKILL, perhaps for lack of memory"),
        (Signal::SIGQUIT, "ended by SIGQUIT"),
        (Signal::SIGABRT, "ended by SIGABRT"),
        (Signal::SIGXCPU, "ended by SIGXCPU"),
    ] {
        let out = &format!("out-{signal}");
        let mut process = study_of(&place, out, "4").stderr(Stdio::piped()).spawn().unwrap();
        wait_for_all(&place, out, &mut process);
        let found = place.processes(&format!("saltflat train {out}/configs/a/s0.toml"));
        found.iter().for_each(|&child| support::send(signal, child));
        let output = process.wait_with_output().unwrap();
        let said = text(&output.stderr);
        assert_eq!((found.len(), output.status.code()), (1, Some(1)), "{said}");
        assert!(said.lines().any(|line| line.contains("a/s0: failed, ") && line.ends_with(reason)), "{said}");
        assert!(!said.lines().any(|line| line.contains("failed") && line.contains("running loss")), "{said}");
    }
}
