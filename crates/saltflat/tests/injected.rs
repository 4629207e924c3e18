//! Calls of the system that fail while a study goes on with a run: whichever it is, the rows and the checkpoints of the run stay, and
//! once the call works again the run ends with the bytes of one that was left alone.
//!
//! `support/inject.c` makes the calls fail; without a C compiler nothing is tested.
#![cfg(all(target_os = "linux", target_env = "gnu"))]
#![allow(clippy::unwrap_used)]

mod support;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use support::{Place, TINY, text};

const SOURCE: &str = include_str!("support/inject.c");

const RUN: &str = "results/study/only/s0";

const STUDY: &str = "[study]\nname = \"study\"\nbase = \"long.toml\"\n[[stage]]\nname = \"only\"\n";

const EIO: i32 = 5;
const EACCES: i32 = 13;
const ENOSPC: i32 = 28;
const ESTALE: i32 = 116;

/// Call, error and a part of the path at which it fails.
const CASES: [(&str, i32, &str); 30] = [
    ("opendir", ESTALE, "s0/checkpoints"),
    ("opendir", EACCES, "s0/checkpoints"),
    ("opendir", EIO, "s0/checkpoints"),
    ("readdir", EIO, "s0/checkpoints"),
    ("readdir", ESTALE, "s0/checkpoints"),
    ("stat", ESTALE, "s0"),
    ("stat", EACCES, "s0/checkpoints"),
    ("stat", ESTALE, "s0/lock"),
    ("stat", EIO, "s0/metrics.jsonl"),
    ("open", ESTALE, "s0/lock"),
    ("open", EACCES, "s0/status.json"),
    ("open", ESTALE, "s0/status.json"),
    ("open", EIO, "s0/metrics.jsonl"),
    ("open", EACCES, "s0/env.json"),
    ("open", EIO, "s0/config.toml"),
    ("open", EIO, ".safetensors"),
    ("open", EACCES, "checkpoints/step-"),
    ("read", EIO, "checkpoints/step-"),
    ("read", EIO, "s0/metrics.jsonl"),
    ("read", ESTALE, "s0/status.json"),
    ("rename", EIO, "s0/status.json"),
    ("rename", EACCES, "s0/metrics.jsonl"),
    ("rename", EIO, "checkpoints/step-"),
    ("rename", ENOSPC, "s0/env.json"),
    ("fsync", EIO, "s0/metrics.jsonl"),
    ("fsync", EIO, "checkpoints"),
    ("fsync", EIO, "s0"),
    ("write", ENOSPC, "s0/metrics.jsonl"),
    ("write", ENOSPC, "checkpoints/step-"),
    ("write", EIO, "s0/"),
];

/// The library, if there is a compiler.
fn library(place: &Place) -> Option<PathBuf> {
    place.write("inject.c", SOURCE);
    let (source, library) = (place.path("inject.c"), place.path("inject.so"));
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let made = Command::new(compiler).args(["-shared", "-fPIC", "-o"]).args([&library, &source]).arg("-ldl").output();
    match made {
        Ok(output) => {
            assert!(output.status.success(), "{}", text(&output.stderr));
            Some(library)
        }
        Err(e) => {
            eprintln!("skipped: no C compiler ({e})");
            None
        }
    }
}

/// A place with a study that was done, at `whole`.
fn place() -> Place {
    let place = Place::new();
    let train = "epochs = 6\ncheckpoint = { every_steps = 4, keep = 100 }";
    place.write("long.toml", TINY.replace("epochs = 2", train));
    place.write("study.toml", STUDY);
    let done = study(&place).output().unwrap();
    assert!(done.status.success(), "{}", text(&done.stderr));
    fs::rename(place.path("results"), place.path("whole")).unwrap();
    place
}

fn study(place: &Place) -> Command {
    place.command(&["study", "study.toml", "--devices", "cpu", "--retry-failed"])
}

/// Every file of a folder, by its path in it.
fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![root.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
                    found.insert(name, fs::read(path).unwrap());
                }
            }
        }
    }
    found
}

/// The study as it was when its run was interrupted after step 12 of 24: with the checkpoints up to there, and more rows.
fn interrupted(place: &Place) {
    let _ = fs::remove_dir_all(place.path("results"));
    for (name, bytes) in files(&place.path("whole")) {
        let path = place.path("results").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    for entry in fs::read_dir(place.path(RUN).join("checkpoints")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name["step-".len()..].split('.').next().unwrap().parse::<u64>().unwrap() > 12 {
            fs::remove_file(path).unwrap();
        }
    }
    let rows = place.read(&format!("{RUN}/metrics.jsonl"));
    let kept = rows
        .split_inclusive('\n')
        .filter(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["step"].as_u64().unwrap() <= 16);
    place.write(&format!("{RUN}/metrics.jsonl"), kept.collect::<String>());
    let status = r#"{"schema":1,"status":"interrupted","reason":"SIGTERM","step":12,"at":"2026-01-01T00:00:00Z"}"#;
    place.write(&format!("{RUN}/status.json"), status);
}

/// Rows and checkpoints, wherever the run's folder is now.
fn kept(place: &Place) -> (String, BTreeMap<String, Vec<u8>>) {
    (place.read(&format!("{RUN}/metrics.jsonl")), files(&place.path(RUN).join("checkpoints")))
}

fn with_fault(place: &Place, library: &Path, (call, error, path): (&str, i32, &str), times: &str) -> Output {
    let mut command = study(place);
    command.env("LD_PRELOAD", library).env("INJECT", format!("{call}:{error}:{path}")).env("INJECT_TIMES", times);
    let log = place.path("injected");
    let _ = fs::remove_file(&log);
    let output = command.env("INJECT_LOG", &log).output().unwrap();
    assert!(log.exists(), "{call} of {path} was not made to fail");
    output
}

#[test]
fn rows_and_checkpoints_outlast_every_failing_call() {
    let place = place();
    let Some(library) = library(&place) else { return };
    let whole = (
        fs::read_to_string(place.path("whole/study/only/s0/metrics.jsonl")).unwrap(),
        files(&place.path("whole/study/only/s0/checkpoints")),
    );
    let (mut failed, mut untouched) = (0, Vec::new());
    for case in CASES {
        // Once, and for as long as the process lives.
        for times in ["1", "1000000"] {
            interrupted(&place);
            let (rows, checkpoints) = kept(&place);
            let output = with_fault(&place, &library, case, times);
            let said = text(&output.stderr);
            let code = output.status.code();
            assert!(matches!(code, Some(0 | 1)), "{case:?} {times}: {code:?}: {said}");
            assert!(!said.contains("panicked"), "{case:?} {times}: {said}");
            failed += usize::from(code == Some(1));
            if code == Some(0) {
                untouched.push((case, times));
            }
            let (rows_now, checkpoints_now) = kept(&place);
            for (name, bytes) in &checkpoints {
                assert!(checkpoints_now.get(name) == Some(bytes), "{case:?} {times}: {name} is lost: {said}");
            }
            // Those of the newest checkpoint, at step 12: what comes after is made again.
            let common = rows.lines().zip(rows_now.lines()).take_while(|(a, b)| a == b).count();
            assert!(common >= 7, "{case:?} {times}: {common} rows are left: {said}");
            let again = study(&place).output().unwrap();
            assert!(again.status.success(), "{case:?} {times}: {}", text(&again.stderr));
            assert!(kept(&place) == whole, "{case:?} {times}: not the bytes of a run that was left alone");
        }
    }
    eprintln!("{} faults, {failed} ended the study, none lost a row or a checkpoint", 2 * CASES.len());
    // A status that cannot be renamed is written over in its place; nothing else is passed over.
    untouched.retain(|(case, _)| *case != ("rename", EIO, "s0/status.json"));
    assert!(untouched.is_empty(), "passed over: {untouched:?}");
}

/// The run whose folder cannot be listed is named with the reason, and the other is made.
#[test]
fn a_run_that_cannot_be_listed_leaves_the_others() {
    let place = place();
    let Some(library) = library(&place) else { return };
    interrupted(&place);
    place.write("study.toml", format!("{STUDY}seeds = [0, 1]\n"));
    let output = with_fault(&place, &library, ("opendir", EACCES, "s0/checkpoints"), "1000000");
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("only/s0: failed") && said.contains("s0/checkpoints: Permission denied"), "{said}");
    assert!(said.contains("only/s1: finished"), "{said}");
    let status = place.command(&["study", "results/study", "--status"]).output().unwrap();
    let line = text(&status.stdout).lines().find(|line| line.contains("only/s0")).unwrap().to_string();
    assert!(line.contains("interrupted") && line.contains("s0/checkpoints: Permission denied"), "{line}");
    assert!(study(&place).status().unwrap().success());
}

/// A run that was killed before its first checkpoint starts anew, and its rows are kept beside it.
#[test]
fn rows_without_a_checkpoint_are_set_aside() {
    let place = place();
    interrupted(&place);
    fs::remove_dir_all(place.path(RUN).join("checkpoints")).unwrap();
    fs::create_dir(place.path(RUN).join("checkpoints")).unwrap();
    let rows = place.read(&format!("{RUN}/metrics.jsonl"));
    let output = study(&place).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(place.read(&format!("{RUN}.set-aside-1/metrics.jsonl")), rows);
    assert_eq!(place.read(&format!("{RUN}/metrics.jsonl")), place.read("whole/study/only/s0/metrics.jsonl"));
    let log = place.read("results/study/logs/only/s0.log");
    let expected = "only/s0: nothing to go on from; what was in its folder is now in results/study/only/s0.set-aside-1";
    assert!(log.contains(expected) && text(&output.stderr).contains(expected), "{log}");
    // One that has no rows is not worth keeping, unless somebody keeps something in it.
    fs::remove_dir_all(place.path(&format!("{RUN}/checkpoints"))).unwrap();
    place.write(&format!("{RUN}/metrics.jsonl"), "");
    place.write(&format!("{RUN}/status.json"), r#"{"schema":1,"status":"running","reason":null,"step":0,"at":""}"#);
    place.write(&format!("{RUN}/thesis.tex"), "precious");
    assert!(study(&place).status().unwrap().success());
    assert_eq!(place.read(&format!("{RUN}.set-aside-2/thesis.tex")), "precious");
    assert!(!place.path(&format!("{RUN}/thesis.tex")).exists());
    place.write(&format!("{RUN}/metrics.jsonl"), "");
    fs::remove_dir_all(place.path(RUN).join("checkpoints")).unwrap();
    place.write(&format!("{RUN}/status.json"), r#"{"schema":1,"status":"running","reason":null,"step":0,"at":""}"#);
    assert!(study(&place).status().unwrap().success());
    assert!(!place.path(&format!("{RUN}.set-aside-3")).exists());
}
