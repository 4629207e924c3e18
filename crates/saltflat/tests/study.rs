//! `saltflat study` end to end.
#![allow(clippy::unwrap_used)]

mod support;

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use safetensors::{Dtype, tensor::TensorView};
use support::{Place, TINY, text};

/// A start and two escapes of two seeds; a checkpoint every step, so that a killed run goes on in its middle.
fn study(epochs: usize) -> String {
    let base: String = TINY
        .lines()
        .filter(|line| !line.starts_with("name") && *line != "[run]")
        .map(|line| line.replacen('[', "[base.", usize::from(line.starts_with('['))) + "\n")
        .collect();
    let base = base.replace("epochs = 2", &format!("epochs = {epochs}\ncheckpoint = {{ every_steps = 1, keep = 2 }}"));
    format!(
        "[study]\nname = \"both\"\nbaseline = \"none\"\n{base}\n{}",
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

/// Folder of the study that is killed, a name that no other process has.
const CUT: &str = "cut-by-kill-9";

/// What must be equal: the rows and the weights of every run, the manifest and the configurations; the study's own folder is
/// left out of them.
fn results(root: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            let volatile = ["logs", "log.txt", "env.json", "status.json", "report.html"];
            if volatile.iter().any(|end| name.ends_with(end)) {
                continue;
            }
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let bytes = fs::read(path).unwrap();
                    let own = root.file_name().unwrap().to_string_lossy();
                    let bytes = match String::from_utf8(bytes) {
                        Ok(text) => text.replace(&format!("/{own}/"), "/STUDY/").into_bytes(),
                        Err(e) => e.into_bytes(),
                    };
                    found.push((name, bytes));
                }
            }
        }
    }
    found.sort();
    found
}

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
        let _ = Command::new("pkill").args(["-9", "-f", &format!("saltflat train .*{CUT}")]).status();
    }
    let rest = go(CUT).output().unwrap();
    assert!(rest.status.success(), "{}", text(&rest.stderr));
    let (whole, cut) = (results(&place.path("whole")), results(&place.path(CUT)));
    let list = |files: &[(String, Vec<u8>)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(list(&whole), list(&cut));
    for ((name, a), (_, b)) in whole.iter().zip(&cut) {
        assert!(a == b, "{name} differs");
    }

    // Nothing is left to do, and that is quick to say.
    let again = go(CUT).output().unwrap();
    assert!(again.status.success() && text(&again.stderr).contains("5 of 5 runs are done already"));
    let status = place.command(&["study", CUT, "--status"]).output().unwrap();
    assert!(text(&status.stdout).ends_with("5 of 5 runs done\n"), "{}", text(&status.stdout));
}

#[test]
fn a_run_that_failed_is_reported_and_retried() {
    let place = Place::new();
    // The escapes' data is not there at first.
    let text_of_study = study(1).replace(
        "{ label = \"flip\" }",
        "{ label = \"flip\", set = { data = { kind = \"tensors\", path = \"digits.safetensors\" }, noise = { kind = \"none\" } } }",
    );
    place.write("study.toml", &text_of_study);
    let go = |more: &[&str]| {
        place.command(&[&["study", "study.toml", "--devices", "cpu", "--out", "out"], more].concat()).output().unwrap()
    };
    let first = go(&[]);
    assert_eq!(first.status.code(), Some(1));
    let said = text(&first.stderr);
    assert!(said.contains("3 of 5 runs done") && said.contains("digits.safetensors"), "{said}");
    assert!(said.contains("--retry-failed"), "{said}");
    let inputs: Vec<u8> = (0..40 * 784).flat_map(|i| (i as f32 % 7.0).to_le_bytes()).collect();
    let labels: Vec<u8> = (0..40_i64).flat_map(|i| (i % 10).to_le_bytes()).collect();
    let tensors = [
        ("inputs", TensorView::new(Dtype::F32, vec![40, 1, 28, 28], &inputs).unwrap()),
        ("labels", TensorView::new(Dtype::I64, vec![40], &labels).unwrap()),
    ];
    place.write("digits.safetensors", safetensors::serialize(tensors, None).unwrap());
    let second = go(&["--retry-failed"]);
    assert!(second.status.success(), "{}", text(&second.stderr));
    assert!(text(&second.stderr).contains("3 of 5 runs are done already"), "{}", text(&second.stderr));
}

#[test]
fn a_run_that_diverged_is_a_result_but_no_start() {
    let place = Place::new();
    let axis = "[[stage.axis]]\nname = \"lr\"\nkey = \"optimizer.lr\"\nvalues = [0.1, 1e30]\n";
    let diverging = study(2)
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
    assert!(code == Some(1) && said.contains("the run that it starts from is not done"), "{said}");
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
