//! Studies that are started together in one folder. `SALTFLAT_FAULTS` says how many times; without it there are a few.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod support;

use std::{
    fs,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use rand::RngExt;
use saltflat_random::{Key, Stream};
use support::{
    Place, assert_same_results, faults,
    studies::{RUNS, place, study_of},
    text,
};

/// Two at once, at most a twentieth of a second apart: every run is made once, and the results are those of one study.
#[test]
fn two_studies_started_together() {
    let place = place(6, "every_epochs = 3");
    assert!(study_of(&place, "whole", "2").status().unwrap().success());
    let mut moments = Key::new(2, Stream::Probe, 0).rng();
    let trials = faults(4);
    for trial in 0..trials {
        let out = format!("both-{trial}");
        let start = || study_of(&place, &out, "2").stderr(Stdio::piped()).spawn().unwrap();
        let first = start();
        thread::sleep(Duration::from_millis(moments.random_range(0..50)));
        let both = [first, start()].map(|process| process.wait_with_output().unwrap());
        let said: String = both.iter().map(|output| text(&output.stderr)).collect();
        assert!(both.iter().all(|output| output.status.success()), "trial {trial}: {said}");
        for run in RUNS {
            assert_eq!(said.matches(&format!("{run}: started")).count(), 1, "trial {trial}: {said}");
        }
        assert!(!said.contains("resumed") && !said.contains("failed"), "trial {trial}: {said}");
        assert_same_results(&place.path("whole"), &place.path(&out));
        assert_eq!(place.read(&format!("{out}/report.html")), place.read("whole/report.html"), "trial {trial}");
        fs::remove_dir_all(place.path(&out)).unwrap();
    }
    eprintln!("{trials} pairs of studies, none damaged");
}

/// The second one waits while the first one holds the lock of the folder, says so, and obeys signals meanwhile.
#[test]
fn a_study_waits_for_the_lock_of_its_folder() {
    let place = place(2, "every_epochs = 2");
    fs::create_dir(place.path("out")).unwrap();
    let lock = fs::File::create(place.path("out/study.lock")).unwrap();
    lock.lock().unwrap();
    for signal in [true, false] {
        let waits = fs::File::create(place.path("said")).unwrap();
        let mut process = study_of(&place, "out", "2").stderr(waits).spawn().unwrap();
        wait_for(&place, "said", "out: waits for another process");
        assert!(!place.path("out/manifest.json").exists());
        if signal {
            support::send(nix::sys::signal::Signal::SIGTERM, process.id());
            assert_eq!(process.wait().unwrap().code(), Some(143));
        } else {
            lock.unlock().unwrap();
            assert!(process.wait().unwrap().success(), "{}", place.read("said"));
        }
    }
}

/// Waits until a file holds a text.
fn wait_for(place: &Place, file: &str, part: &str) {
    let start = Instant::now();
    while !fs::read_to_string(place.path(file)).unwrap_or_default().contains(part) {
        assert!(start.elapsed() < Duration::from_secs(60), "no {part:?} in {}", place.read(file));
        thread::sleep(Duration::from_millis(5));
    }
}

/// How the process of a run ends whose study was killed while it had not begun.
#[derive(Debug)]
enum Ends {
    /// After the next study has begun to wait for it.
    Waited,
    /// Before the next study starts.
    Before,
    /// By SIGKILL, while the next study waits for it.
    Killed,
}

/// A study is killed while the process of its run still loads its data: the next one waits for it, and nothing failed.
#[test]
fn a_run_that_outlives_its_study_is_waited_for() {
    use nix::sys::signal::Signal;
    const RUN: &str = "saltflat train";
    let place = place(6, "every_epochs = 3");
    for (i, ends) in [Ends::Waited, Ends::Before, Ends::Killed].iter().cycle().take(faults(3).max(3)).enumerate() {
        let out = format!("out-{i}");
        let run = place.path(&out).join(RUNS[0]);
        // Stopped as soon as it is there, which is before it has a folder.
        let child = loop {
            let mut study = study_of(&place, &out, "1").spawn().unwrap();
            let child = loop {
                if let Some(&child) = place.processes(RUN).first() {
                    break child;
                }
                assert!(study.try_wait().unwrap().is_none(), "the study ended by itself");
            };
            study.kill().unwrap();
            study.wait().unwrap();
            // Not before its study has gone: a stopped process that loses its parent is sent SIGHUP and SIGCONT.
            support::send(Signal::SIGSTOP, child);
            if !run.exists() && !place.processes(RUN).is_empty() {
                break child;
            }
            support::send(Signal::SIGKILL, child);
            while !place.processes(RUN).is_empty() {
                thread::sleep(Duration::from_millis(5));
            }
            fs::remove_dir_all(place.path(&out)).unwrap();
        };
        if matches!(ends, Ends::Before) {
            support::send(Signal::SIGCONT, child);
        }
        let said = fs::File::create(place.path("said")).unwrap();
        let mut next = study_of(&place, &out, "1").stderr(said).spawn().unwrap();
        if !matches!(ends, Ends::Before) {
            // The other runs wait for the free place, and this one for its process.
            wait_for(&place, "said", "a/s0: another process works on it, which is waited for");
            thread::sleep(Duration::from_millis(300));
            assert!(!place.read("said").contains("a/s0: started"), "{}", place.read("said"));
            let signal = if matches!(ends, Ends::Killed) { Signal::SIGKILL } else { Signal::SIGCONT };
            support::send(signal, child);
        }
        assert_eq!(next.wait().unwrap().code(), Some(0), "{ends:?}: {}", place.read("said"));
        let said = place.read("said");
        assert!(!said.contains("failed") && said.contains("4 of 4 runs done"), "{ends:?}: {said}");
        assert!(study_of(&place, "whole", "2").status().unwrap().success());
        assert_same_results(&place.path("whole"), &place.path(&out));
    }
}
