//! A study that is interrupted in every way: its runs are saved, none is left behind, and the same command ends like one that was
//! left alone.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod support;

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use nix::sys::signal::Signal;
use support::{
    Place, rows, send, status,
    studies::{RUNS, all_saved, goes_on, place, study, wait_for_all},
    text,
};

/// The command line as one word of a shell each.
fn quoted(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words = words.map(|word| format!("'{}'", word.to_str().unwrap().replace('\'', r"'\''")));
    words.collect::<Vec<_>>().join(" ")
}

/// A key that is pressed on a terminal reaches every process of its foreground group.
#[test]
fn control_c_on_a_terminal_saves_every_run() {
    // Most of the time goes into measurements of some 100 ms, in whose middle nobody asks for signals: so long that a process
    // would hear both of the terminal and of the study.
    let place = place(12, "every_epochs = 1");
    place.write("study.toml", place.read("study.toml").replace("probes = 3", "probes = 200"));
    let inner = study(&place, "cut");
    let mut terminal = Command::new("script");
    terminal.args(["-qec", &quoted(&inner), "/dev/null"]).current_dir(place.path("")).env_remove("SALTFLAT_DATA");
    terminal.env("XDG_DATA_HOME", place.path("home"));
    let mut terminal = terminal.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    wait_for_all(&place, "cut", &mut terminal);
    let mut keys = terminal.stdin.take().unwrap();
    keys.write_all(b"\x03").unwrap();
    keys.flush().unwrap();
    let code = terminal.wait().unwrap().code();
    drop(keys);
    let mut shown = String::new();
    std::io::Read::read_to_string(&mut terminal.stdout.take().unwrap(), &mut shown).unwrap();
    assert_eq!(code, Some(130), "{shown}");
    all_saved(&place, "cut", "an interrupt");
    for run in RUNS {
        let line = shown.lines().find(|line| line.contains(&format!("{run}: interrupted")));
        assert!(line.is_some_and(|line| line.contains("stopped by an interrupt after step")), "{run}: {shown}");
    }
    assert!(shown.contains("0 of 4 runs done, 4 left") && !shown.contains("failed"), "{shown}");
    goes_on(&place, "cut");
}

/// `timeout` sends its signal twice, to the process and to its group. It does the same with a signal that it gets itself.
#[test]
fn what_timeout_sends_saves_every_run() {
    let under_timeout = |inner: &Command, place: &Place| {
        let mut command = Command::new("timeout");
        command.arg("1000").arg(inner.get_program()).args(inner.get_args()).current_dir(place.path(""));
        command.env_remove("SALTFLAT_DATA").env("XDG_DATA_HOME", place.path("home"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let place = place(400, "every_epochs = 100");
    let mut process = under_timeout(&study(&place, "cut"), &place);
    wait_for_all(&place, "cut", &mut process);
    send(Signal::SIGTERM, process.id());
    assert_eq!(process.wait().unwrap().code(), Some(143));
    all_saved(&place, "cut", "SIGTERM");
    goes_on(&place, "cut");

    let train =
        place.command(&["train", "tiny.toml", "--device", "cpu", "--set", "train.epochs=1000000", "--out", "one"]);
    let mut process = under_timeout(&train, &place);
    while rows(&place.path("one")) < 12 {
        assert!(process.try_wait().unwrap().is_none(), "it ended by itself");
        thread::sleep(Duration::from_millis(5));
    }
    send(Signal::SIGTERM, process.id());
    assert_eq!(process.wait().unwrap().code(), Some(143));
    assert_eq!(status(&place.path("one"))["status"], "interrupted");
}

/// A batch system's signal: the study ends well, and its runs say that they are to go on.
#[test]
fn a_signal_to_requeue_is_passed_on() {
    let place = place(1_000_000, "every_epochs = 100000");
    let mut process = study(&place, "cut").spawn().unwrap();
    wait_for_all(&place, "cut", &mut process);
    send(Signal::SIGUSR1, process.id());
    assert_eq!(process.wait().unwrap().code(), Some(0));
    all_saved(&place, "cut", "SIGUSR1");
    assert!(RUNS.iter().all(|run| status(&place.path("cut").join(run))["requeue"] == true));
}

/// A study sends its signals itself: there may be no program for it.
#[test]
fn a_study_ends_without_other_programs() {
    let place = place(1_000_000, "every_epochs = 100000");
    fs::create_dir(place.path("no-programs")).unwrap();
    let mut process = study(&place, "cut").env("PATH", place.path("no-programs")).spawn().unwrap();
    wait_for_all(&place, "cut", &mut process);
    send(Signal::SIGTERM, process.id());
    assert_eq!(process.wait().unwrap().code(), Some(143));
    all_saved(&place, "cut", "SIGTERM");
}

/// A study that is killed takes its runs with it, saved; one that is started meanwhile waits for them and goes on.
#[test]
fn a_killed_study_leaves_no_run_behind() {
    let place = place(400, "every_epochs = 100");
    let mut process = study(&place, "cut").spawn().unwrap();
    wait_for_all(&place, "cut", &mut process);
    process.kill().unwrap();
    process.wait().unwrap();
    goes_on(&place, "cut");
    let resumed = RUNS.iter().filter(|run| {
        let log = place.read(&format!("cut/{run}/log.txt"));
        log.contains("stopped by SIGTERM after step") && log.contains("resumed at step")
    });
    // Where the machine is fast a run may have ended before the other three were in their middle.
    assert!(resumed.count() > 0);
}

/// A run that the system killed: why is said, at once and later, and the same command goes on with it.
#[test]
fn a_killed_run_is_said() {
    const OUT: &str = "lost";
    let place = place(400, "every_epochs = 100");
    let mut process = study(&place, OUT).stderr(Stdio::piped()).spawn().unwrap();
    wait_for_all(&place, OUT, &mut process);
    assert_eq!(place.kill(&format!("saltflat train {OUT}/configs/a/s0.toml")), 1);
    let output = process.wait_with_output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let reason = "killed by SIGKILL, perhaps for lack of memory";
    assert!(said.lines().any(|line| line.contains("a/s0: failed, ") && line.ends_with(reason)), "{said}");
    assert!(said.contains(&format!("a/s0 failed: {reason} (see ")), "{said}");
    let status = place.command(&["study", OUT, "--status"]).output().unwrap();
    assert!(
        text(&status.stdout).lines().any(|line| line.contains("a/s0") && line.ends_with(reason)),
        "{}",
        text(&status.stdout)
    );
    goes_on(&place, OUT);
}

/// A run is the process's that started it from before it has a folder.
#[test]
fn two_studies_at_once_share_the_runs() {
    let place = place(100, "every_epochs = 100");
    let start = || study(&place, "cut").stderr(Stdio::piped()).spawn().unwrap();
    let both = [start(), start()].map(|process| process.wait_with_output().unwrap());
    let said: String = both.iter().map(|output| text(&output.stderr)).collect();
    assert!(both.iter().all(|output| output.status.success()), "{said}");
    for run in RUNS {
        assert_eq!(said.matches(&format!("{run}: started")).count(), 1, "{said}");
    }
    goes_on(&place, "cut");
}

/// A second Ctrl-C does not wait for the step that the first one waits for.
#[test]
fn a_second_signal_ends_a_study_at_once() {
    let place = place(3, "evaluate = false\nevery_epochs = 1");
    // A step of seconds in a single pass, which is not asked in its middle.
    let text = [
        ("\nlimit = 100\n", "\nlimit = 1000\n"),
        ("hidden = [8]", "hidden = [2048, 2048, 2048]"),
        ("batch_size = 30", "batch_size = 1000\nsam = true"),
        ("[base.train]", "[base.train]\nmicrobatch = 1000"),
        ("[base.metrics]", "[base.metrics]\nenabled = false"),
    ]
    .into_iter()
    .fold(place.read("study.toml"), |text, (old, new)| {
        assert!(text.contains(old), "{old}: {text}");
        text.replace(old, new)
    });
    place.write("study.toml", text);
    let mut process = study(&place, "cut").spawn().unwrap();
    while !RUNS.iter().all(|run| place.path(&format!("cut/{run}/status.json")).exists()) {
        thread::sleep(Duration::from_millis(5));
    }
    thread::sleep(Duration::from_millis(300));
    send(Signal::SIGINT, process.id());
    thread::sleep(Duration::from_millis(1300));
    assert!(process.try_wait().unwrap().is_none(), "the step has ended: make it longer");
    send(Signal::SIGINT, process.id());
    let ended: ExitStatus = process.wait().unwrap();
    assert_eq!(ended.code(), Some(130));
    for run in RUNS {
        assert_eq!(status(&place.path("cut").join(run))["status"], "running");
        assert!(is_free(&place.path(&format!("cut/{run}/lock"))), "{run}");
    }
}

fn is_free(lock: &Path) -> bool {
    fs::File::open(lock).unwrap().try_lock_shared().is_ok()
}
