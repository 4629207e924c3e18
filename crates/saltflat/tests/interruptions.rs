//! `saltflat train` that is stopped, killed and resumed.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod support;

use std::{
    fs,
    process::{Child, Output, Stdio},
    time::Duration,
};

use nix::sys::signal::Signal;
use support::{Place, text};

/// 60 epochs of four steps, saved in their middle; what a second epoch measures starts from the first.
const CONFIG: [&str; 11] = [
    "tiny.toml",
    "--device",
    "cpu",
    "--set",
    "train.epochs=60",
    "--set",
    "train.checkpoint={every_steps = 3, keep = 3}",
    "--set",
    "metrics.alignment=false",
    "--set",
    "metrics.eigenvalues={largest = 2, products = 20}",
];

fn start(place: &Place, args: &[&str]) -> Child {
    let mut command = place.command(&[&["train"], args].concat());
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn resume(place: &Place, run: &str) -> Output {
    place.command(&["train", "--resume", run, "--device", "cpu"]).output().unwrap()
}

fn rows(place: &Place, run: &str) -> usize {
    support::rows(&place.path(run))
}

/// Waits until the run has so many rows; false where it ended before.
fn wait_for_rows(place: &Place, run: &str, count: usize, child: &mut Child) -> bool {
    while rows(place, run) < count {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(3));
    }
    true
}

fn send(signal: Signal, child: &Child) {
    support::send(signal, child.id());
}

fn status(place: &Place, run: &str) -> serde_json::Value {
    support::status(&place.path(run))
}

fn same(place: &Place, one: &str, other: &str) {
    assert!(place.weights(one) == place.weights(other), "weights of {one} and {other}");
    assert_eq!(place.read(&format!("{one}/metrics.jsonl")), place.read(&format!("{other}/metrics.jsonl")));
}

/// Killed where it stands, three times: at the end the files are those of a run that was left alone.
#[test]
fn killed_and_resumed() {
    let place = Place::new();
    place.trained(&[&CONFIG[..1], &CONFIG[3..], &["--out", "whole"]].concat());
    let mut child = start(&place, &[&CONFIG[..], &["--out", "killed"]].concat());
    for (i, more) in [7, 20, 30].into_iter().enumerate() {
        let count = rows(&place, "killed") + more;
        assert!(wait_for_rows(&place, "killed", count, &mut child), "it ended by itself");
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(status(&place, "killed")["status"], "running");
        child = start(&place, &["--resume", "killed", "--device", "cpu"]);
        // It says so once it has cut the rows back.
        while place.read("killed/log.txt").matches("resumed at step").count() <= i {
            assert!(child.try_wait().unwrap().is_none_or(|code| code.success()));
            std::thread::sleep(Duration::from_millis(3));
        }
    }
    assert!(child.wait().unwrap().success());
    same(&place, "killed", "whole");
    let env: serde_json::Value = serde_json::from_str(&place.read("killed/env.json")).unwrap();
    assert_eq!(env["resumed"].as_array().unwrap().len(), 3);
    assert_eq!(env["resumed"][0]["backend"], "flex");
    assert_eq!(status(&place, "killed")["status"], "finished");
}

/// A run that is killed at its end, while an older checkpoint is removed: what is left of that goes when the run is resumed, although no
/// step is left that would save another.
#[test]
fn killed_while_a_checkpoint_is_removed() {
    let place = Place::new();
    place.trained(&[&CONFIG[..1], &CONFIG[3..], &["--out", "run"]].concat());
    let checkpoints = place.path("run").join("checkpoints");
    let names = || {
        let mut names: Vec<String> = fs::read_dir(&checkpoints)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    let before = names();
    for extension in ["safetensors", "state.safetensors"] {
        fs::write(checkpoints.join(format!("step-00000001.{extension}")), "what is left").unwrap();
    }
    assert_eq!(names().len(), before.len() + 2);
    let finished = place.read("run/status.json");
    fs::write(place.path("run").join("status.json"), finished.replace("finished", "running")).unwrap();
    let output = resume(&place, "run");
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(names(), before);
}

/// Each signal saves, has its exit code, and the run goes on from there.
#[test]
fn signals_save_and_the_run_goes_on() {
    let place = Place::new();
    place.trained(&[&CONFIG[..1], &CONFIG[3..], &["--out", "whole"]].concat());
    for (signal, code, requeue) in
        [(Signal::SIGINT, 130, false), (Signal::SIGTERM, 143, false), (Signal::SIGUSR1, 0, true)]
    {
        let run = &format!("run-{signal}");
        let mut child = start(&place, &[&CONFIG[..], &["--out", run]].concat());
        assert!(wait_for_rows(&place, run, 9, &mut child));
        send(signal, &child);
        assert_eq!(child.wait().unwrap().code(), Some(code), "{signal}");
        let found = status(&place, run);
        assert_eq!(found["status"], "interrupted");
        assert_eq!(found["requeue"] == true, requeue, "{found}");
        let output = resume(&place, run);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let said = format!("resumed at step {}", found["step"]);
        assert!(text(&output.stderr).contains(&said), "{}", text(&output.stderr));
        assert!(place.read(&format!("{run}/log.txt")).contains(&said));
        same(&place, run, "whole");
    }
}

/// A step of many seconds in a single pass, in which nobody asks.
const SLOW: [&str; 15] = [
    "tiny.toml",
    "--device",
    "cpu",
    "--set",
    "data.limit=1000",
    "--set",
    "optimizer={lr = 0.001, batch_size = 1000, sam = true}",
    "--set",
    "train={steps = 50, microbatch = 1000}",
    "--set",
    "model.hidden=[4096, 4096, 4096, 4096]",
    "--set",
    "metrics.enabled=false",
    "--set",
    "noise={kind = \"none\"}",
];

/// Waits until it ends, for a minute at most.
fn ended(child: &mut Child) -> Option<std::process::ExitStatus> {
    let clock = std::time::Instant::now();
    while clock.elapsed() < Duration::from_secs(60) {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    None
}

/// A measurement of days is given up at once, by a signal and by the time limit, and is still due.
#[test]
fn a_measurement_does_not_hold_up_the_end() {
    let place = Place::new();
    let long = ["tiny.toml", "--device", "cpu", "--set", "metrics.trace.probes=100000000", "--out"];
    for (run, limit, code) in [("signal", &[][..], 143), ("limit", &["--time-limit", "1.5s"], 0)] {
        let mut child = start(&place, &[&long[..], &[run], limit].concat());
        if limit.is_empty() {
            while !place.path(run).join("status.json").exists() {
                std::thread::sleep(Duration::from_millis(3));
            }
            std::thread::sleep(Duration::from_millis(300));
            send(Signal::SIGTERM, &child);
        }
        let status = ended(&mut child).unwrap_or_else(|| panic!("{run}: it goes on"));
        assert_eq!(status.code(), Some(code), "{run}");
        let found = self::status(&place, run);
        assert_eq!((&found["status"], &found["step"]), (&"interrupted".into(), &0.into()), "{found}");
        let sidecar: serde_json::Value =
            serde_json::from_str(&place.read(&format!("{run}/checkpoints/step-00000000.json"))).unwrap();
        assert_eq!(sidecar["progress"]["measurement_due"], true);
        assert_eq!(rows(&place, run), 0);
    }
}

/// The end of the terminal saves the run; not where it was started so that it ignores that, as by `nohup`.
#[cfg(target_os = "linux")]
#[test]
fn a_terminal_that_is_gone() {
    if support::is_in_mask("self", "SigIgn:", Signal::SIGHUP) == Some(true) {
        eprintln!("skipped: the tests themselves ignore SIGHUP");
        return;
    }
    let place = Place::new();
    let args = |out: &'static str| [&CONFIG[..], &["--set", "train.epochs=4000", "--out", out]].concat();
    let mut child = start(&place, &args("hung-up"));
    assert!(wait_for_rows(&place, "hung-up", 3, &mut child));
    send(Signal::SIGHUP, &child);
    assert_eq!(child.wait().unwrap().code(), Some(129));
    let found = status(&place, "hung-up");
    assert_eq!((&found["status"], found["reason"].as_str().unwrap().contains("SIGHUP")), (&"interrupted".into(), true));
    let program = place.command(&[]).get_program().to_owned();
    let mut command = std::process::Command::new("nohup");
    command.current_dir(place.path("")).arg(program).arg("train").args(args("nohup"));
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    assert!(wait_for_rows(&place, "nohup", 3, &mut child));
    send(Signal::SIGHUP, &child);
    let now = rows(&place, "nohup");
    assert!(wait_for_rows(&place, "nohup", now + 3, &mut child), "it goes on");
    send(Signal::SIGTERM, &child);
    assert_eq!(child.wait().unwrap().code(), Some(143));
}

/// Before there is anything to save the first signal ends it: nothing is begun. A dry run ends as any program does.
#[test]
fn the_first_signal_ends_what_saves_nothing() {
    use std::os::unix::process::ExitStatusExt;
    let place = Place::new();
    // Seconds of making images.
    let data = "data={kind = \"mnist-1k\", adversarial = {copies = 500}}";
    let long = ["tiny.toml", "--device", "cpu", "--set", data, "--out", "prepared"];
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143), (Signal::SIGUSR1, 0)] {
        let mut command = place.command(&[&["train"], &long[..]].concat());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        support::wait_until_it_listens(child.id());
        send(signal, &child);
        assert_eq!(ended(&mut child).and_then(|status| status.code()), Some(code), "{signal}");
        let said = text(&child.wait_with_output().unwrap().stderr);
        assert!(said.contains("before there was anything to save"), "{said}");
        assert!(!place.path("prepared").exists());
    }
    for (signal, number) in [(Signal::SIGINT, 2), (Signal::SIGTERM, 15)] {
        let mut child = start(&place, &[&SLOW[..], &["--dry-run"]].concat());
        std::thread::sleep(Duration::from_millis(1000));
        send(signal, &child);
        assert_eq!(ended(&mut child).and_then(|status| status.signal()), Some(number));
    }
}

/// A second signal does not wait for what the first one waits for: nothing is saved, and the folder still says running.
#[test]
fn a_second_signal_ends_it_at_once() {
    let place = Place::new();
    let mut child = start(&place, &[&SLOW[..], &["--out", "slow"]].concat());
    while !place.path("slow/status.json").exists() {
        std::thread::sleep(Duration::from_millis(3));
    }
    std::thread::sleep(Duration::from_millis(300));
    send(Signal::SIGINT, &child);
    std::thread::sleep(Duration::from_millis(50));
    // So soon it is the first signal once more.
    send(Signal::SIGTERM, &child);
    std::thread::sleep(Duration::from_millis(1200));
    assert!(child.try_wait().unwrap().is_none(), "the step has ended: make it longer");
    send(Signal::SIGTERM, &child);
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert_eq!(status(&place, "slow")["status"], "running");
}

/// Two signals at once, as `timeout` and batch systems send them, are one, and the run is saved.
#[test]
fn signals_at_once_save() {
    let place = Place::new();
    let mut child = start(&place, &[&CONFIG[..], &["--out", "both"]].concat());
    assert!(wait_for_rows(&place, "both", 9, &mut child));
    send(Signal::SIGINT, &child);
    send(Signal::SIGTERM, &child);
    // Which of the two is heard first is the system's affair.
    let code = child.wait().unwrap().code();
    assert!(matches!(code, Some(130 | 143)), "{code:?}");
    assert_eq!(status(&place, "both")["status"], "interrupted");
}

/// A study holds the other end of its runs' input.
#[test]
fn the_end_of_the_input_saves_where_it_is_asked_for() {
    let place = Place::new();
    let args = [&["train"], &CONFIG[..], &["--out", "fed", "--stop-at-end-of-input"]].concat();
    let mut command = place.command(&args);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let input = child.stdin.take();
    assert!(wait_for_rows(&place, "fed", 9, &mut child));
    drop(input);
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert_eq!(status(&place, "fed")["status"], "interrupted");
}

/// The time limit ends a run as SIGUSR1 does.
#[test]
fn a_time_limit_saves_and_exits() {
    let place = Place::new();
    let limit = ["--set", "train.epochs=1000000", "--time-limit", "1.5s"];
    let output = place.train(&[&["tiny.toml"], &limit[..]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let found = status(&place, "results/tiny");
    assert_eq!((&found["status"], &found["requeue"]), (&"interrupted".into(), &true.into()));
    assert!(found["reason"].as_str().unwrap().contains("--time-limit"), "{found}");
    for wrong in ["0m", "soon", "-3s", "1d"] {
        assert_eq!(place.train(&["tiny.toml", "--out", "no", &format!("--time-limit={wrong}")]).status.code(), Some(2));
    }
}

/// A newest checkpoint that is cut off is passed over, which is said; the end is the same.
#[test]
fn a_torn_checkpoint_is_said() {
    let place = Place::new();
    place.trained(&[&CONFIG[..1], &CONFIG[3..], &["--out", "whole"]].concat());
    let mut child = start(&place, &[&CONFIG[..], &["--out", "torn"]].concat());
    assert!(wait_for_rows(&place, "torn", 12, &mut child));
    child.kill().unwrap();
    child.wait().unwrap();
    let newest = support::last_checkpoint(&place.path("torn"));
    let size = fs::metadata(&newest).unwrap().len();
    fs::File::options().write(true).open(&newest).unwrap().set_len(size / 2).unwrap();
    let output = resume(&place, "torn");
    assert!(output.status.success(), "{}", text(&output.stderr));
    for said in [text(&output.stderr), place.read("torn/log.txt")] {
        assert!(said.contains("is skipped: ") && said.contains("SHA-256"), "{said}");
    }
    same(&place, "torn", "whole");
}

/// What is finished stays as it is; what runs is left alone; what is no run is refused with a sentence.
#[test]
fn what_cannot_be_resumed() {
    let place = Place::new();
    place.trained(&["tiny.toml"]);
    let before = place.read("results/tiny/status.json");
    let output = resume(&place, "results/tiny");
    assert!(output.status.success());
    assert!(text(&output.stderr).contains("is finished: 8 steps"), "{}", text(&output.stderr));
    assert_eq!(place.read("results/tiny/status.json"), before);

    let refused = |args: &[&str], part: &str| {
        let output = place.train(args);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(part), "{args:?}: {said}");
    };
    fs::create_dir(place.path("empty")).unwrap();
    refused(&["--resume", "empty"], "empty cannot be resumed: it is no run folder, it has no config.toml");
    refused(&["--resume", "nothing"], "nothing cannot be resumed: it is no run folder");
    refused(&["--resume", "results/tiny", "--out", "elsewhere"], "cannot be used with");
    refused(&["--resume", "results/tiny", "--set", "optimizer.lr=1"], "optimizer.lr: 0.1 then, 1.0 now");
    assert_eq!(place.read("results/tiny/status.json"), before);
    refused(&["tiny.toml", "--resume", "results/tiny"], "cannot be used with");
    refused(&[], "required");
    refused(&["tiny.toml"], "--resume");

    let mut child = start(&place, &["tiny.toml", "--device", "cpu", "--set", "train.epochs=1000000", "--out", "long"]);
    assert!(wait_for_rows(&place, "long", 3, &mut child));
    refused(&["--resume", "long"], "long is in use: another process holds long/lock");
    send(Signal::SIGUSR1, &child);
    assert!(child.wait().unwrap().success());
    // The network of its configuration is another one now.
    let config = place.read("long/config.toml").replace("hidden = [8]", "hidden = [9]");
    place.write("long/config.toml", config);
    refused(&["--resume", "long"], "model.hidden: [8] then, [9] now");

    place.train(&["tiny.toml", "--set", "optimizer.lr=1e30", "--out", "diverged"]);
    let output = resume(&place, "diverged");
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("diverged and would again"), "{}", text(&output.stderr));
}
