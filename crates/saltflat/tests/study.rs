//! `saltflat study` end to end.
#![allow(clippy::unwrap_used)]

mod support;

use std::{process::Stdio, thread, time::Duration};

use support::{Place, TINY, base_of, text};

/// A start and two escapes of two seeds; a checkpoint every step, so that a killed run goes on in its middle.
fn study(epochs: usize) -> String {
    // Groups with flips and without are measured on one loss.
    let base = base_of(TINY).replace("\"cross_entropy\"", "\"cross_entropy\"\nsmoothing = 0.2");
    let base = base.replace("epochs = 2", &format!("epochs = {epochs}\ncheckpoint = {{ every_steps = 1, keep = 2 }}"));
    format!(
        "[study]\nname = \"both\"\nbaseline = \"noise none\"\n{base}\n{}",
        r#"
[[stage]]
name = "start"
[[stage]]
name = "escape"
from = "start"
seeds = [0, 1]
[[stage.axis]]
name = "noise"
values = [{ label = "none", set = { noise = { kind = "none" } } }, { label = "flip" }]
"#
    )
}

/// Folder of the study that is killed.
const CUT: &str = "cut";

#[test]
fn a_study_that_was_killed_ends_like_one_that_was_not() {
    let place = Place::new();
    place.write("study.toml", study(4));
    let go = |out: &str| place.command(&["study", "study.toml", "--devices", "cpu", "--jobs", "2", "--out", out]);
    let whole = go("whole").output().unwrap();
    assert!(whole.status.success(), "{}", text(&whole.stderr));
    assert!(text(&whole.stderr).contains("5 of 5 runs done"), "{}", text(&whole.stderr));

    // Killed at moments that are as good as random: some before a run has a checkpoint, some in the middle of one. The runs'
    // processes are killed too, as a power cut would.
    for pause in [150, 400, 700, 1000] {
        let mut process = go(CUT).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        thread::sleep(Duration::from_millis(pause));
        let _ = process.kill();
        let _ = process.wait();
        place.kill("saltflat train ");
    }
    let rest = go(CUT).output().unwrap();
    assert!(rest.status.success(), "{}", text(&rest.stderr));
    support::assert_same_results(&place.path("whole"), &place.path(CUT));

    // Nothing is left to do, and that is quick to say.
    let again = go(CUT).output().unwrap();
    assert!(again.status.success() && text(&again.stderr).contains("5 of 5 runs are done already"));
    let status = place.command(&["study", CUT, "--status"]).output().unwrap();
    assert!(text(&status.stdout).ends_with("5 of 5 runs done\n"), "{}", text(&status.stdout));
}

#[test]
fn a_run_that_failed_is_reported_and_retried() {
    let place = Place::new();
    place.write("study.toml", study(1));
    let go = |device: &str, more: &[&str]| {
        let args = ["study", "study.toml", "--devices", device, "--out", "out"];
        let output = place.command(&[&args, more].concat()).output().unwrap();
        (output.status.code(), text(&output.stderr))
    };
    // Before it has a folder: what its process printed.
    let (code, said) = go("no-such-adapter", &[]);
    assert_eq!(code, Some(1));
    assert!(said.contains("0 of 5 runs done, 5 left"), "{said}");
    assert!(
        said.contains("start/s0: failed, ") && said.contains(" s: --device no-such-adapter: no such adapter"),
        "{said}"
    );
    let status = place.command(&["study", "out", "--status"]).output().unwrap();
    assert!(text(&status.stdout).contains("no such adapter"), "{}", text(&status.stdout));
    let (code, said) = go("cpu", &[]);
    assert_eq!(code, Some(0), "{said}");

    // One that failed by itself is not started again unless it is asked for.
    let run = "out/escape/none_s0/status.json";
    let failed = place.read(run).replace("finished", "failed").replace("4 steps", "the device failed: lost");
    place.write(run, &failed);
    let (code, said) = go("cpu", &[]);
    assert_eq!(code, Some(1));
    assert!(said.contains("4 of 5 runs done, 1 failed") && said.contains("--retry-failed"), "{said}");
    let (code, said) = go("cpu", &["--retry-failed"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("4 of 5 runs are done already"), "{said}");
}

/// A run that refuses to go on: the reason is that of this start, not what its folder said before.
#[test]
fn why_a_run_does_not_go_on() {
    let place = Place::new();
    place.write("study.toml", study(1));
    let go = || place.command(&["study", "study.toml", "--devices", "cpu", "--out", "out"]).output().unwrap();
    assert!(go().status.success());
    let run = "out/escape/none_s0";
    let status = place.read(&format!("{run}/status.json"));
    place.write(
        &format!("{run}/status.json"),
        status.replace("finished", "interrupted").replace("4 steps", "stopped by SIGTERM after step 4"),
    );
    place.write(&format!("{run}/metrics.jsonl"), "");
    let output = go();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let line = said.lines().find(|line| line.contains("none_s0: failed")).unwrap_or_else(|| panic!("{said}"));
    assert!(line.contains("metrics.jsonl has 0 whole rows"), "{said}");
    assert!(!said.contains("stopped by SIGTERM"), "{said}");
}

/// What a stage requires of its starts is looked at before its runs start; a goal that was missed is said at once.
#[test]
fn a_start_that_did_not_reach_what_is_required() {
    let place = Place::new();
    // The goal of the starts alone: 100 epochs from 10 % accuracy, of which the first is not enough.
    let with = |accuracy: f64| {
        study(1)
            .replace("name = \"start\"\n", "name = \"start\"\nset = { train.stop_accuracy = 1.0 }\n")
            .replace("from = \"start\"\n", &format!("from = \"start\"\nrequire = {{ accuracy = {accuracy:?} }}\n"))
    };
    place.write("study.toml", with(0.9999));
    let go = |out: &str| {
        let output = place.command(&["study", "study.toml", "--devices", "cpu", "--out", out]).output().unwrap();
        (output.status.code(), text(&output.stderr))
    };
    let (code, said) = go("out");
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("start/s0: train.stop_accuracy = 1 was not reached (running accuracy of the last epoch: "),
        "{said}"
    );
    let last = place.measurements("out/start/s0").pop().unwrap();
    let accuracy = last["metrics"]["accuracy"]["value"].as_f64().unwrap();
    let unmet = format!(
        "start/s0: it ended with accuracy = {accuracy}, not at least 0.9999, which stage.escape.require asks for"
    );
    assert!(said.contains(&format!("4 runs are not started: {unmet}")), "{said}");
    assert!(said.contains("1 of 5 runs done, 4 cannot start"), "{said}");
    assert!(!place.path("out/escape/none_s0").exists());
    let status = text(&place.command(&["study", "out", "--status"]).output().unwrap().stdout);
    assert!(status.contains("train.stop_accuracy = 1 was not reached") && status.contains(&unmet), "{status}");
    let task = place.command(&["study", "out", "--task", "1"]).output().unwrap();
    assert!(task.status.code() == Some(1) && text(&task.stderr).contains(&unmet), "{}", text(&task.stderr));
    // Exactly what was reached is enough.
    place.write("study.toml", with(accuracy));
    let (code, said) = go("enough");
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn a_run_that_diverged_is_a_result_but_no_start() {
    let place = Place::new();
    let axis = "[[stage.axis]]\nname = \"lr\"\nkey = \"optimizer.lr\"\nvalues = [0.1, 1e30]\n";
    let diverging = study(2)
        .replace("baseline = \"noise none\"\n", "")
        .replace("name = \"start\"\n", &format!("name = \"start\"\n{axis}"))
        .replace("[[stage.axis]]\nname = \"noise\"", &format!("{axis}[[stage.axis]]\nname = \"noise\""));
    place.write("study.toml", diverging);
    let output = place.command(&["study", "study.toml", "--devices", "cpu", "--out", "out"]).output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("6 of 10 runs done, 1 of them diverged, 4 cannot start"), "{said}");
}

#[test]
fn tasks_and_what_is_wrong() {
    let place = Place::new();
    place.write("study.toml", study(1));
    let run = |args: &[&str]| {
        let output = place.command(&[&["study"], args].concat()).output().unwrap();
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    };
    let (code, said) = run(&["study.toml", "--out", "out", "--devices", "cpu", "--task", "1"]);
    assert!(code == Some(1) && said.contains("the run that it starts from, start/s0, is not done"), "{said}");
    let (code, said) = run(&["out", "--devices", "cpu", "--task", "0"]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = run(&["out", "--devices", "cpu", "--task", "0"]);
    assert!(code == Some(0) && said.contains("nothing to do"), "{said}");
    let (code, said) = run(&["out", "--task", "99"]);
    assert!(code == Some(2) && said.contains("the study has 5 runs, numbered from 0; there is no 99"), "{said}");
    let (code, said) = run(&["out", "--status"]);
    assert!(code == Some(0) && said.contains("1 of 5 runs done, 4 left"), "{said}");
    let (code, said) = run(&["out", "--dry-run"]);
    assert!(code == Some(0) && said.contains("1 of 5 runs done, 4 left"), "{said}");
    for (args, expected) in [
        (&["none.toml"][..], "none.toml"),
        (&["study.toml", "--scale", "huge"], "--scale: expected one of paper"),
        (&["study.toml", "--jobs", "0"], "above 0"),
        (&["study.toml", "--status", "--out", "nowhere"], "holds no study"),
    ] {
        let (code, said) = run(args);
        assert!(code == Some(2) && said.contains(expected), "{args:?}: {code:?} {said}");
    }
    // A folder's runs pin the study.
    place.write("study.toml", study(3));
    let (code, said) = run(&["study.toml", "--out", "out"]);
    assert!(code == Some(2) && said.contains("start/s0 was made with another configuration"), "{said}");
}
