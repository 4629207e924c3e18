//! Whose the folder of a study is, and what its names may be.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;

use support::{Place, text};

const HOSTILE: &str = "\u{1b}[31mred\u{9b}2J\u{7}";

/// A study whose base is `tiny.toml`.
fn file(name: &str, rest: &str) -> String {
    format!("[study]\nname = \"{name}\"\nbase = \"tiny.toml\"\n{rest}")
}

const ONE: &str = "[[stage]]\nname = \"a\"\n";

/// Exit code, stdout and stderr.
fn run(place: &Place, args: &[&str]) -> (Option<i32>, String, String) {
    let output = place.command(&[&["study"], args, &["--devices", "cpu"]].concat()).output().unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// Run `b-c` of stage `a` and run `c` of stage `a-b` had one configuration.
#[test]
fn every_run_is_made_from_its_own_configuration() {
    let place = Place::new();
    let stage = |name: &str, lr: &str, label: &str| {
        format!(
            "[[stage]]\nname = \"{name}\"\nset = {{ optimizer.lr = {lr} }}\n[[stage.axis]]\nname = \"x\"\nvalues = [{{ label = \"{label}\" }}]\n"
        )
    };
    let pairs = [("a", "0.5", "b-c"), ("a-b", "0.001", "c"), ("a_b", "0.25", "c"), ("a-b-c", "0.125", "-")];
    let rest: String = pairs.iter().map(|(name, lr, label)| stage(name, lr, label)).collect();
    place.write("study.toml", file("s", &rest));
    let (code, _, said) = run(&place, &["study.toml", "--out", "out"]);
    assert_eq!(code, Some(0), "{said}");
    for ((stage, lr, _), run) in pairs.iter().zip(["b-c_s0", "c_s0", "c_s0", "_s0"]) {
        let config: toml::Table = place.read(&format!("out/{stage}/{run}/config.toml")).parse().unwrap();
        assert_eq!(config["optimizer"]["lr"].to_string(), *lr, "{stage}/{run}");
        assert!(place.read(&format!("out/logs/{stage}/{run}.log")).contains("8 steps"));
    }
}

#[test]
fn files_of_others_are_not_written_over() {
    let place = Place::new();
    place.write("study.toml", file("s", ONE));
    fs::create_dir(place.path("mine")).unwrap();
    let names = ["study.toml", "report.html", "summary.json", "manifest.json"];
    names.iter().for_each(|name| place.write(&format!("mine/{name}"), format!("mine: {name}")));
    for more in [&[][..], &["--dry-run", "--untimed"], &["--emit", "slurm"], &["--page"], &["--task", "0"]] {
        let (code, _, said) = run(&place, &[&["study.toml", "--out", "mine"], more].concat());
        assert_eq!(code, Some(2), "{more:?}: {said}");
        assert!(said.contains("mine: holds no study"), "{said}");
    }
    fs::remove_file(place.path("mine/manifest.json")).unwrap();
    let (code, _, said) = run(&place, &["study.toml", "--out", "mine"]);
    assert!(code == Some(2) && said.contains("choose another folder with --out"), "{said}");
    let mut found: Vec<_> = fs::read_dir(place.path("mine"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    assert_eq!(found, ["report.html", "study.toml", "summary.json"]);
    for name in found {
        assert_eq!(place.read(&format!("mine/{name}")), format!("mine: {name}"));
    }
    let (code, _, said) = run(&place, &["study.toml", "--out", "tiny.toml"]);
    assert!(code == Some(2) && said.contains("tiny.toml: is no folder"), "{said}");
}

/// Another study does not take over a folder, neither as it runs nor for its page; the same goes on, edited or moved.
#[test]
fn a_folder_is_that_of_one_study() {
    let place = Place::new();
    for folder in ["one", "two"] {
        fs::create_dir(place.path(folder)).unwrap();
        fs::copy(place.path("tiny.toml"), place.path(folder).join("tiny.toml")).unwrap();
    }
    place.write("one/s.toml", file("same", ONE));
    assert_eq!(run(&place, &["one/s.toml"]).0, Some(0));
    place.write("two/s.toml", file("same", "[[stage]]\nname = \"b\"\n"));
    let before = (place.read("results/same/manifest.json"), place.read("results/same/report.html"));
    for more in [&[][..], &["--dry-run", "--untimed"], &["--page"], &["--status"]] {
        let (code, _, said) = run(&place, &[&["two/s.toml"], more].concat());
        assert_eq!(code, Some(2), "{more:?}: {said}");
        assert!(said.contains("one/s.toml") && said.contains("two/s.toml") && said.contains("--out"), "{said}");
    }
    assert_eq!((place.read("results/same/manifest.json"), place.read("results/same/report.html")), before);
    assert_eq!(run(&place, &["two/s.toml", "--out", "results/two"]).0, Some(0));
    // Edited.
    place.write("one/s.toml", file("same", &format!("{ONE}[[stage]]\nname = \"more\"\n")));
    let (code, _, said) = run(&place, &["one/s.toml"]);
    assert!(code == Some(0) && said.contains("1 of 2 runs are done already"), "{said}");
    // Moved, and then edited where it is now.
    fs::rename(place.path("one"), place.path("moved")).unwrap();
    assert_eq!(run(&place, &["moved/s.toml"]).0, Some(0));
    place
        .write("moved/s.toml", file("same", &format!("{ONE}[[stage]]\nname = \"more\"\n[[stage]]\nname = \"last\"\n")));
    let (code, _, said) = run(&place, &["moved/s.toml"]);
    assert!(code == Some(0) && said.contains("2 of 3 runs are done already"), "{said}");
    // A name and a scale that make one folder.
    place.write("scaled.toml", file("s", &format!("{ONE}[scale.b]\n")));
    place.write("named.toml", file("s-b", ONE));
    assert_eq!(run(&place, &["scaled.toml", "--scale", "b"]).0, Some(0));
    let (code, _, said) = run(&place, &["named.toml"]);
    assert!(code == Some(2) && said.contains("study s at scale b of") && said.contains("study s-b of"), "{said}");
}

/// What makes a name longer than the file system takes is found before the first run.
#[test]
fn names_that_are_too_long() {
    let place = Place::new();
    let noise = "{ kind = \"label-flip\", probability = 0.2, schedule = { kind = \"warmup-cosine\", warmup_steps = 20 } }, \
                 { kind = \"parameter-gaussian\", sigma = 0.01, schedule = { kind = \"warmup-cosine\", warmup_steps = 20 } }, \
                 { kind = \"sgd-covariance\", strength = 0.01, schedule = { kind = \"warmup-cosine\", warmup_steps = 20 } }";
    let axis = format!("{ONE}seeds = 3\n[[stage.axis]]\nname = \"noise\"\nkey = \"noise\"\nvalues = [[{noise}]]\n");
    place.write("study.toml", file("s", &axis));
    for more in [&["--dry-run", "--untimed"][..], &[], &["--emit", "slurm"]] {
        let (code, _, said) = run(&place, &[&["study.toml", "--out", "out"], more].concat());
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("a/kind----label-flip---") && said.contains(" bytes, expected at most "), "{said}");
        assert!(said.contains("shorten its label of axis noise") && said.contains("{ label = \"…\""), "{said}");
        assert!(said.contains("2 other runs") && said.len() < 1000, "{said}");
    }
    assert!(!place.path("out").exists());
    // The remedy.
    let labelled = axis
        .replace("key = \"noise\"\n", "")
        .replace("[[{", "[{ label = \"all\", set = { noise = [{")
        .replace("}]]", "}] } }]");
    place.write("study.toml", file("s", &labelled));
    let (code, _, said) = run(&place, &["study.toml", "--out", "out", "--dry-run", "--untimed"]);
    assert_eq!(code, Some(0), "{said}");
    let long = "x".repeat(300);
    place.write("study.toml", file(&long, ONE));
    let (code, _, said) = run(&place, &["study.toml", "--dry-run", "--untimed"]);
    assert!(code == Some(2) && said.contains("shorten study.name") && said.contains("300 bytes"), "{said}");
    place.write("study.toml", file("s", &ONE.replace("\"a\"", &format!("\"{long}\""))));
    let (code, _, said) = run(&place, &["study.toml", "--dry-run", "--untimed"]);
    assert!(code == Some(2) && said.contains("shorten stage.name"), "{said}");
    place.write("study.toml", file("s", ONE));
    let (code, _, said) = run(&place, &["study.toml", "--dry-run", "--untimed", "--out", &"y/".repeat(2045)]);
    assert!(code == Some(2) && said.contains("choose a shorter folder with --out"), "{said}");
}

/// No name, path or argument reaches a terminal with what it would obey.
#[test]
fn nothing_that_a_terminal_obeys_is_printed() {
    let place = Place::new();
    place.trained(&["tiny.toml", "--out", "run"]);
    let folder = &format!("out{HOSTILE}");
    let escaped = "no\\u001b[31mred\\u009b2J\\u0007such.safetensors";
    place.write("study.toml", file("s", ONE));
    place.write("start.toml", file("start", &format!("{ONE}set = {{ train.init = \"{escaped}\" }}\n")));
    place.write("titled.toml", file("titled", ONE).replace("name =", "title = \"\\u001b[31mred\"\nname ="));
    place.write("key.toml", file("key", &format!("{ONE}set = {{ \"optimizer.\\u001b[31mlr\" = 1 }}\n")));
    place.write(&format!("bad{HOSTILE}.toml"), "[run\nname = \"\u{1b}[31m\"");
    place.write("rows.toml", support::TINY.replace("0.2", "\"\\u001b[31mred\""));
    fs::rename(place.path("run"), place.path(&format!("run{HOSTILE}"))).unwrap();
    let (folder, run, bad): (&str, &str, &str) = (folder, &format!("run{HOSTILE}"), &format!("bad{HOSTILE}.toml"));
    let commands: Vec<Vec<&str>> = vec![
        vec!["study", "study.toml", "--devices", "cpu", "--out", folder],
        vec!["study", "study.toml", "--devices", "cpu", "--out", folder, "--dry-run", "--untimed"],
        vec!["study", folder, "--status"],
        vec!["study", folder, "--page"],
        vec!["study", folder, "--task", "99"],
        vec!["study", "study.toml", "--out", folder, "--emit", "slurm"],
        vec!["study", "start.toml", "--dry-run", "--untimed"],
        vec!["study", "start.toml", "--devices", "cpu"],
        vec!["study", "titled.toml", "--devices", "cpu"],
        vec!["study", "key.toml", "--devices", "cpu"],
        vec!["study", bad],
        vec!["study", "study.toml", "--scale", HOSTILE],
        vec!["study", "study.toml", "--devices", HOSTILE],
        vec!["train", bad],
        vec!["train", "rows.toml"],
        vec!["train", "tiny.toml", "--set", HOSTILE],
        vec!["train", "tiny.toml", "--device", HOSTILE],
        vec!["train", "tiny.toml", "--device", "cpu", "--out", folder],
        vec!["train", "--resume", run, "--device", "cpu"],
        vec!["measure", "tiny.toml", "--weights", run, "--metrics", "loss", "--device", "cpu"],
        vec!["measure", "tiny.toml", "--weights", run, "--metrics", HOSTILE],
        vec!["report", run, "--out", "-"],
        vec!["report", run, "--format", "csv", "--out", "-", "--title", HOSTILE],
        vec!["report", run, "--format", "json", "--out", "-", "--title", HOSTILE],
        vec!["report", run, "--baseline", HOSTILE],
        vec!["report", HOSTILE],
        vec!["watch", run, "--once"],
        vec!["lab", HOSTILE],
        vec!["lab", "random-walk", "--set", HOSTILE],
        vec!["lab", "random-walk", "--scale", "smoke", "--dry-run", "--out", folder],
        vec!["data", "path", "--data-dir", HOSTILE],
        vec!["data", "list", "--data-dir", HOSTILE],
        vec!["data", "get", "mnist", "--from", HOSTILE, "--data-dir", HOSTILE],
        vec![HOSTILE],
        vec!["train", &HOSTILE[1..], "--nothing\u{1b}[31m"],
    ];
    for args in commands {
        let output = place.command(&args).output().unwrap();
        for bytes in [output.stdout, output.stderr] {
            let said = text(&bytes);
            let obeyed = said.chars().find(|&c| c.is_control() && !matches!(c, '\n' | '\t'));
            assert_eq!(obeyed, None, "{args:?}: {said:?}");
        }
    }
}

/// Bash, and what stands for Slurm, run the scripts; nothing that a name, a device or a path holds is run.
#[test]
#[cfg(unix)]
fn job_scripts_run_nothing_of_what_they_name() {
    use std::os::unix::fs::PermissionsExt;

    let place = Place::new();
    let injected = "$(touch PWNED) `touch PWNED`; touch PWNED # @COMMAND@ ' touch PWNED '";
    for name in ["x\\ntouch PWNED\\n#", "x\\rtouch PWNED", "x\\u001b[31m"] {
        for text in [
            file(name, ONE),
            file("s", &format!("[[stage]]\nname = \"{name}\"\n")),
            file("s", &format!("{ONE}[[stage.axis]]\nname = \"x\"\nvalues = [{{ label = \"{name}\" }}]\n")),
            file("s", &format!("{ONE}[[stage.axis]]\nname = \"{name}\"\nkey = \"optimizer.lr\"\nvalues = [1.0]\n")),
            file("s", &format!("{ONE}[scale.\"{name}\"]\n")),
            file("s", &format!("{ONE}set = {{ run.name = \"{name}\" }}\n")),
        ] {
            place.write("refused.toml", &text);
            let (code, _, said) = run(&place, &["refused.toml", "--out", "refused", "--emit", "slurm"]);
            // The name of a run is that of its place in the study, whatever the study sets.
            let is_set = text.contains("run.name");
            assert_eq!(code, Some(if is_set { 0 } else { 2 }), "{text}: {said}");
            let _ = fs::remove_dir_all(place.path("refused"));
        }
        let set = format!("run.name=\"{name}\"");
        let said = place.train(&["tiny.toml", "--set", &set]);
        assert_eq!(said.status.code(), Some(2), "{}", text(&said.stderr));
    }
    assert_eq!(run(&place, &["refused.toml", "--devices", "a\nb"]).0, Some(2));

    let study_name = injected.replace('/', "-");
    let (root, data) = (format!("results/{study_name}"), format!("data {injected}"));
    place.write("study.toml", file(&study_name, &format!("{ONE}[[stage]]\nname = \"b\"\nfrom = \"a\"\n")));
    fs::create_dir(place.path("bin")).unwrap();
    let script = |name: &str, text: &str| {
        let path = place.path("bin").join(name);
        fs::write(&path, format!("#!/usr/bin/env bash\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    // Each job is its script, run as the task of its first run; a job that is put back is run once more.
    script(
        "sbatch",
        "SLURM_ARRAY_JOB_ID=1 SLURM_ARRAY_TASK_ID=$(sed -n 's/^#SBATCH --array=\\([0-9]*\\)-.*/\\1/p' \"${@: -1}\") bash \"${@: -1}\" >> jobs.log 2>&1; echo 1",
    );
    script("scontrol", "echo \"$@\" >> requeued.log");
    let path = format!("{}:{}", place.path("bin").display(), std::env::var("PATH").unwrap());
    // An adapter of this name is nowhere: its text is one word of the error.
    for device in [injected, "cpu"] {
        let mut emit =
            place.command(&["study", "study.toml", "--data-dir", &data, "--emit", "slurm", "--devices", device]);
        let output = emit.output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        let mut submit = std::process::Command::new("bash");
        submit.arg(place.path(&root).join("slurm/submit.sh")).current_dir(place.path("")).env("PATH", &path);
        let output = submit.env("XDG_DATA_HOME", place.path("home")).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        if device != "cpu" {
            let log = place.read("jobs.log");
            assert!(log.contains(&format!("--device {injected}: no such adapter")), "{log}");
        }
    }
    for run in ["a/s0", "b/s0"] {
        assert_eq!(
            support::status(&place.path(&root).join(run))["status"],
            "finished",
            "{run}: {}",
            place.read("jobs.log")
        );
    }
    assert!(place.path(&root).join("report.html").exists());
    for folder in ["", &root, "bin"] {
        assert!(!place.path(folder).join("PWNED").exists(), "{folder}");
    }
}
