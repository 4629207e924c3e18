//! Streams that cannot be written: a closed pipe ends a command quietly, a full disk is an error, and training goes on.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod support;

use std::{fs::OpenOptions, process::Stdio};

use support::{Place, text};

/// Commands whose product is their stdout.
const COMMANDS: [&[&str]; 21] = [
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
    &["completions", "bash"],
    &["man"],
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

/// How a stream cannot be written.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Broken {
    /// Not open at all (`>&-`).
    Shut,
    /// A pipe that nobody reads.
    Closed,
    /// A full disk.
    Full,
}

/// Commands whose product is on stdout.
const QUICK: [&[&str]; 21] = [
    &["--help"],
    &["--version"],
    &["help", "train"],
    &["train", "--help"],
    &["data", "get", "--help"],
    &["measure", "--metrics", "help", "tiny.toml", "--weights", "run"],
    &["measure", "tiny.toml", "--weights", "run", "--metrics", "loss", "--device", "cpu", "--json", "-"],
    &["lab"],
    &["lab", "quadratic", "--scale", "smoke", "--dry-run"],
    &["train", "tiny.toml", "--dry-run", "--device", "cpu"],
    &["study", "study.toml", "--dry-run", "--untimed"],
    &["study", "study.toml", "--status"],
    &["study", "study.toml", "--page"],
    &["study", "study.toml", "--emit", "slurm"],
    &["watch", "run", "--once"],
    &["report", "run", "--out", "-"],
    &["data", "list"],
    &["data", "list", "--json"],
    &["data", "path"],
    &["data", "verify"],
    &["data", "verify", "mnist-1k", "--json"],
];

/// Commands that refuse their input, with a message and nothing on stdout.
const REFUSED: [&[&str]; 5] =
    [&["nonsense"], &["train"], &["train", "nothing.toml"], &["study", "nothing.toml"], &["report", "nothing"]];

/// Commands whose product is a folder.
const MAKING: [&[&str]; 3] = [
    &["train", "tiny.toml", "--out", "made", "--device", "cpu"],
    &["study", "study.toml", "--out", "made", "--devices", "cpu"],
    &["lab", "random-walk", "--scale", "smoke", "--out", "made"],
];

/// Runs a command with its stdout, its stderr or both broken; gives its exit code and what of stderr could be read.
fn with_broken(place: &Place, args: &[&str], [out, err]: [Option<Broken>; 2]) -> (Option<i32>, String) {
    let shut = |stream, number: u8| match stream {
        Some(Broken::Shut) => format!(" {number}>&-"),
        None | Some(Broken::Closed | Broken::Full) => String::new(),
    };
    let program = place.command(args);
    let mut shell = std::process::Command::new("sh");
    shell.current_dir(place.path("")).env_remove("SALTFLAT_DATA").env("XDG_DATA_HOME", place.path("home"));
    shell.arg("-c").arg(format!("exec \"$0\" \"$@\"{}{}", shut(out, 1), shut(err, 2)));
    let stream = |broken| match broken {
        None => Stdio::piped(),
        Some(Broken::Shut) => Stdio::null(),
        Some(Broken::Closed) => closed(),
        Some(Broken::Full) => full(),
    };
    shell.arg(program.get_program()).args(args).stdin(Stdio::null()).stdout(stream(out)).stderr(stream(err));
    let output = shell.output().unwrap();
    (output.status.code(), text(&output.stderr))
}

/// Every command with every stream broken in every way: no panic, no output that is lost with exit code 0 unless its reader is gone,
/// and no process that is left.
#[test]
#[cfg(target_os = "linux")]
fn every_command_with_every_broken_stream() {
    use Broken::{Closed, Full, Shut};
    let place = place();
    let all = QUICK.iter().map(|args| (0, *args)).chain(REFUSED.iter().map(|args| (2, *args)));
    let mut count = 0;
    for (code, args) in all.chain(MAKING.iter().map(|args| (0, *args))) {
        for broken in [Shut, Closed, Full] {
            for streams in [[Some(broken), None], [None, Some(broken)], [Some(broken), Some(broken)]] {
                let making = MAKING.contains(&args);
                if making {
                    let _ = std::fs::remove_dir_all(place.path("made"));
                }
                let (found, said) = with_broken(&place, args, streams);
                // A run's rows are in its folder too; what other commands print is lost on a full disk.
                let lost = streams[0] == Some(Full) && code == 0 && args != MAKING[0];
                assert_eq!(found, Some(if lost { 1 } else { code }), "{args:?} {streams:?}: {said}");
                assert!(!said.contains("panicked"), "{args:?} {streams:?}: {said}");
                let told = said.contains("stdout cannot be written: No space left");
                assert!(!lost || streams[1].is_some() || told, "{args:?} {streams:?}: {said}");
                let status = ["made/status.json", "made/only/s0/status.json"].map(|name| place.path(name));
                assert!(!making || status.iter().any(|path| path.exists()), "{args:?} {streams:?}");
                assert_eq!(place.kill("saltflat"), 0, "{args:?} {streams:?} left a process");
                count += 1;
            }
        }
    }
    eprintln!("{count} commands with broken streams");
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
