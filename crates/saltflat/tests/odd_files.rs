//! Files that are no files: a device that never ends, a pipe that nobody writes to. Each is named and refused at once, wherever a person
//! can name a file; and limits of the system end a run with a status.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod support;

use std::{
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use support::{Place, TINY, text};

/// Much longer than a refusal takes; a process that waits for a pipe takes for ever.
const LONG: Duration = Duration::from_secs(60);

/// Where a file can be named; `FILE` is it.
const COMMANDS: [&[&str]; 10] = [
    &["train", "FILE", "--device", "cpu"],
    &["train", "tiny.toml", "--device", "cpu", "--set", "train.init=\"FILE\""],
    &["train", "tiny.toml", "--device", "cpu", "--set", "data={kind=\"tensors\", path=\"FILE\"}"],
    &["measure", "FILE", "--weights", "run", "--device", "cpu"],
    &["measure", "tiny.toml", "--weights", "FILE", "--device", "cpu"],
    &["measure", "tiny.toml", "--weights", "run", "--device", "cpu", "--slice", "FILE"],
    &["study", "FILE"],
    &["study", "base.toml", "--dry-run", "--untimed"],
    &["study", "from.toml", "--dry-run", "--untimed"],
    &["data", "get", "mnist", "--data-dir", "data", "--from", "FILE"],
];

/// The output of a command that must end.
fn ended(mut command: Command) -> Output {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    // What is said fits into a pipe.
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > LONG {
            child.kill().unwrap();
            panic!("{command:?} does not end");
        }
        thread::sleep(Duration::from_millis(5));
    }
    child.wait_with_output().unwrap()
}

#[test]
fn devices_and_pipes_are_refused() {
    let place = Place::new();
    place.trained(&["tiny.toml", "--out", "run"]);
    assert!(Command::new("mkfifo").arg(place.path("pipe")).status().unwrap().success());
    let pipe = place.path("pipe").display().to_string();
    for (file, what) in [("/dev/zero", "is a device, expected a file"), (pipe.as_str(), "is a pipe, expected a file")] {
        let study = |base: &str, from: &str| {
            format!("[study]\nname = \"s\"\nbase = \"{base}\"\n[[stage]]\nname = \"one\"\n{from}\n")
        };
        place.write("base.toml", study(file, ""));
        place.write("from.toml", study("tiny.toml", &format!("from = \"{file}\"")));
        for args in COMMANDS {
            let args: Vec<String> = args.iter().map(|arg| arg.replace("FILE", file)).collect();
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let output = ended(place.command(&args));
            let said = text(&output.stderr);
            assert!(matches!(output.status.code(), Some(1 | 2)), "{args:?}: {:?} {said}", output.status);
            assert!(said.contains(what), "{args:?}: {said}");
        }
    }
}

/// A message quotes input, but not a line of 200,000 characters.
#[test]
fn long_input_is_not_quoted_whole() {
    let place = Place::new();
    place.write("deep.toml", format!("a = {}", "[".repeat(200_000)));
    place.write("flat.toml", "[".repeat(200_000));
    place.write("name.toml", TINY.replace("\"mlp\"", &format!("\"{}\"", "x".repeat(200_000))));
    place.write("keys.toml", "[[a]]\n".repeat(20_000) + &"y".repeat(100_000));
    for name in ["deep.toml", "flat.toml", "name.toml", "keys.toml"] {
        for command in ["train", "study"] {
            let output = ended(place.command(&[command, name]));
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{command} {name}: {}", said.len());
            assert!(said.len() < 10_000, "{command} {name}: {} bytes", said.len());
        }
    }
}

/// A limit of the size of files (`ulimit -f`) is to a run what a full disk is; without it the run goes on.
#[test]
fn a_limit_of_the_size_of_files_ends_a_run_with_a_status() {
    let place = Place::new();
    let settings = ["--set", "train.epochs=300"];
    place.trained(&[&["tiny.toml", "--out", "whole"], settings.as_slice()].concat());
    // Less than a checkpoint, and less than all rows.
    for (run, kib) in [("checkpoint", 20), ("rows", 60)] {
        let args = ["train", "tiny.toml", "--device", "cpu", "--out", run];
        let output = place.limited(kib, &[args.as_slice(), &settings].concat());
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{run}: {:?} {said}", output.status);
        assert!(said.contains("File too large"), "{run}: {said}");
        let status: serde_json::Value = serde_json::from_str(&place.read(&format!("{run}/status.json"))).unwrap();
        assert_eq!(status["status"], "failed", "{run}: {status}");
        assert!(status["reason"].as_str().unwrap().contains("File too large"), "{run}: {status}");
        let output = place.train(&["--resume", run]);
        assert!(output.status.success(), "{run}: {}", text(&output.stderr));
        let rows = |run: &str| place.read(&format!("{run}/metrics.jsonl"));
        assert!(rows(run) == rows("whole") && place.weights(run) == place.weights("whole"), "{run}");
    }
}

/// On a terminal that cannot move its cursor `watch` prints lines, as without a terminal.
#[test]
#[cfg(target_os = "linux")]
fn a_dumb_terminal_gets_lines() {
    let place = Place::new();
    place.trained(&["tiny.toml", "--out", "run"]);
    let program = place.command(&[]).get_program().to_string_lossy().into_owned();
    let mut terminal = Command::new("script");
    terminal.current_dir(place.path("")).args(["-qec", &format!("'{program}' watch run"), "/dev/null"]);
    let output = terminal.env("TERM", "dumb").stdin(Stdio::null()).output();
    let Ok(output) = output else {
        eprintln!("skipped: there is no script(1)");
        return;
    };
    let shown = text(&output.stdout);
    assert!(shown.contains("run: finished, epoch 2 of 2") && !shown.contains('\u{1b}'), "{shown:?}");
}
