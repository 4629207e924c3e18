//! A study that is interrupted in every way: its runs are saved, none is left behind, and the same command ends like one that was
//! left alone.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod support;

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use support::{Place, TINY, base_of, results, text};

const RUNS: [&str; 4] = ["a/s0", "a/s1", "a/s2", "a/s3"];

/// Four runs of some seconds, which nothing but a signal saves in their middle.
fn place(epochs: usize, metrics: &str) -> Place {
    let place = Place::new();
    let tiny =
        TINY.replace("epochs = 2", &format!("epochs = {epochs}\ncheckpoint = {{ every_minutes = 60, keep = 1 }}"));
    let base = base_of(&tiny).replace("[base.metrics]", &format!("[base.metrics]\n{metrics}"));
    place.write("study.toml", format!("[study]\nname = \"s\"\n{base}\n[[stage]]\nname = \"a\"\nseeds = 4\n"));
    place
}

fn study(place: &Place, out: &str) -> Command {
    let mut command = place.command(&["study", "study.toml", "--devices", "cpu", "--jobs", "4", "--out", out]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn rows(place: &Place, run: &str) -> usize {
    fs::read_to_string(place.path(run).join("metrics.jsonl")).map_or(0, |rows| rows.lines().count())
}

/// Waits until every run is in its middle.
fn wait_for_all(place: &Place, out: &str, process: &mut Child) {
    while RUNS.iter().any(|run| rows(place, &format!("{out}/{run}")) < 12) {
        assert!(process.try_wait().unwrap().is_none(), "the study ended by itself");
        thread::sleep(Duration::from_millis(5));
    }
}

fn send(signal: &str, process: &Child) {
    assert!(Command::new("kill").args([signal, &process.id().to_string()]).status().unwrap().success());
}

fn status(place: &Place, run: &str) -> serde_json::Value {
    serde_json::from_str(&place.read(&format!("{run}/status.json"))).unwrap()
}

/// Every run was saved for this reason.
fn all_saved(place: &Place, out: &str, reason: &str) {
    for run in RUNS {
        let found = status(place, &format!("{out}/{run}"));
        assert_eq!(found["status"], "interrupted", "{run}: {found}");
        assert!(found["reason"].as_str().unwrap().starts_with(&format!("stopped by {reason} after step")), "{found}");
    }
}

/// Goes on to the end, which is that of a study that was left alone.
fn goes_on(place: &Place, out: &str) {
    let output =
        place.command(&["study", "study.toml", "--devices", "cpu", "--jobs", "2", "--out", out]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(!text(&output.stderr).contains("failed"), "{}", text(&output.stderr));
    assert!(study(place, "whole").status().unwrap().success());
    let (whole, found) = (results(&place.path("whole")), results(&place.path(out)));
    let names = |files: &[(String, Vec<u8>)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&whole), names(&found));
    for ((name, a), (_, b)) in whole.iter().zip(&found) {
        assert!(a == b, "{name} differs");
    }
}

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
    send("-TERM", &process);
    assert_eq!(process.wait().unwrap().code(), Some(143));
    all_saved(&place, "cut", "SIGTERM");
    goes_on(&place, "cut");

    let train =
        place.command(&["train", "tiny.toml", "--device", "cpu", "--set", "train.epochs=1000000", "--out", "one"]);
    let mut process = under_timeout(&train, &place);
    while rows(&place, "one") < 12 {
        assert!(process.try_wait().unwrap().is_none(), "it ended by itself");
        thread::sleep(Duration::from_millis(5));
    }
    send("-TERM", &process);
    assert_eq!(process.wait().unwrap().code(), Some(143));
    assert_eq!(status(&place, "one")["status"], "interrupted");
}

/// A batch system's signal: the study ends well, and its runs say that they are to go on.
#[test]
fn a_signal_to_requeue_is_passed_on() {
    let place = place(1_000_000, "every_epochs = 100000");
    let mut process = study(&place, "cut").spawn().unwrap();
    wait_for_all(&place, "cut", &mut process);
    send("-USR1", &process);
    assert_eq!(process.wait().unwrap().code(), Some(0));
    all_saved(&place, "cut", "SIGUSR1");
    assert!(RUNS.iter().all(|run| status(&place, &format!("cut/{run}"))["requeue"] == true));
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
    assert_eq!(place.kill(&format!("saltflat train {OUT}/configs/a-s0.toml")), 1);
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
    send("-INT", &process);
    thread::sleep(Duration::from_millis(1300));
    assert!(process.try_wait().unwrap().is_none(), "the step has ended: make it longer");
    send("-INT", &process);
    let ended: ExitStatus = process.wait().unwrap();
    assert_eq!(ended.code(), Some(130));
    for run in RUNS {
        assert_eq!(status(&place, &format!("cut/{run}"))["status"], "running");
        assert!(is_free(&place.path(&format!("cut/{run}/lock"))), "{run}");
    }
}

fn is_free(lock: &Path) -> bool {
    fs::File::open(lock).unwrap().try_lock_shared().is_ok()
}
