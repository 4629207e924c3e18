//! Streams that cannot be written: a closed pipe ends a command quietly, a full disk is an error, and training goes on.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod support;

use std::{fs::OpenOptions, process::Stdio};

use support::{Place, text};

/// Commands whose product is their stdout.
const COMMANDS: [&[&str]; 19] = [
    &["doctor", "--device", "cpu"],
    &["doctor", "--device", "cpu", "--json"],
    &["measure", "--metrics", "help", "tiny.toml", "--weights", "run"],
    &["measure", "tiny.toml", "--weights", "run", "--metrics", "loss", "--device", "cpu"],
    &["measure", "tiny.toml", "--weights", "run", "--metrics", "loss", "--device", "cpu", "--json", "-"],
    &["measure", "tiny.toml", "--weights", "run", "--check", "--samples", "2"],
    &["lab"],
    &["lab", "quadratic", "--scale", "smoke", "--dry-run"],
    &["train", "tiny.toml", "--dry-run", "--device", "cpu"],
    &["study", "study.toml", "--dry-run"],
    &["study", "study.toml", "--status"],
    &["study", "study.toml", "--page"],
    &["watch", "run"],
    &["watch", "run", "--once"],
    &["report", "run", "--out", "-"],
    &["report", "run", "--format", "csv", "--out", "-"],
    &["data", "list"],
    &["data", "path"],
    &["data", "verify", "--json"],
];

const STUDY: &str = r#"
[study]
name = "study"
base = "tiny.toml"
[[stage]]
name = "only"
"#;

/// A place with a run and a study that is done.
fn place() -> Place {
    let place = Place::new();
    place.trained(&["tiny.toml", "--out", "run"]);
    place.write("study.toml", STUDY);
    assert!(place.command(&["study", "study.toml", "--devices", "cpu"]).status().unwrap().success());
    place
}

/// A pipe that nobody reads.
fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

fn full() -> Stdio {
    OpenOptions::new().write(true).open("/dev/full").unwrap().into()
}

#[test]
fn a_closed_stdout_ends_every_command_quietly() {
    let place = place();
    for args in COMMANDS {
        let output = place.command(args).stdout(closed()).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {said}");
        assert!(!said.contains("panicked") && !said.contains("saltflat:"), "{args:?}: {said}");
    }
}

/// Linux has a device that is a full disk.
#[test]
#[cfg(target_os = "linux")]
fn a_full_stdout_is_an_error() {
    let place = place();
    for args in COMMANDS {
        let output = place.command(args).stdout(full()).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.contains("saltflat: stdout cannot be written: No space left"), "{args:?}: {said}");
    }
}

/// Neither stream is the result of a run: it trains to its end, and its folder has every row.
#[test]
fn training_goes_on_without_its_streams() {
    let place = Place::new();
    place.trained(&["tiny.toml", "--out", "whole"]);
    let expected = place.read("whole/metrics.jsonl");
    for (name, streams) in [("closed", [closed(), closed()]), ("full", [full(), full()])] {
        let [out, err] = streams;
        let mut command = place.command(&["train", "tiny.toml", "--out", name, "--device", "cpu"]);
        let status = command.stdout(out).stderr(err).status().unwrap();
        assert_eq!(status.code(), Some(0), "{name}");
        assert_eq!(place.read(&format!("{name}/metrics.jsonl")), expected, "{name}");
    }
    // A disk that is full under stdout alone is said once.
    let mut command = place.command(&["train", "tiny.toml", "--out", "said", "--device", "cpu"]);
    let output = command.stdout(full()).output().unwrap();
    assert!(output.status.success());
    let said = text(&output.stderr);
    assert_eq!(said.matches("stdout cannot be written").count(), 1, "{said}");

    // The runs of a study and the trials of a lab are made, whoever reads what is printed at the end.
    place.write("study.toml", STUDY);
    let status = place.command(&["study", "study.toml", "--devices", "cpu"]).stdout(closed()).stderr(closed()).status();
    assert_eq!(status.unwrap().code(), Some(0));
    assert!(place.read("results/study/only/s0/status.json").contains("finished"));
    assert!(place.read("results/study/report.html").contains("</html>"));
    let mut lab = place.command(&["lab", "random-walk", "--scale", "smoke", "--out", "lab"]);
    assert_eq!(lab.stdout(closed()).stderr(closed()).status().unwrap().code(), Some(0));
    assert!(place.read("lab/report.html").contains("</html>"));
}
