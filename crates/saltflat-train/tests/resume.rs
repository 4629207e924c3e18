//! A run that was stopped anywhere and goes on ends with the files of one that was not: bit for bit, on the CPU.
#![allow(clippy::unwrap_used)]

mod runs;
mod support;

use std::{collections::BTreeMap, fs};

use runs::{ALL, Runs, TINY, at_question, at_step, files};
use saltflat_record::{RunState, Status};
use saltflat_train::{Outcome, Plan, RunFolder, TrainError, config::Config, resume};
use support::read;

/// Stopped there and resumed, a run has all files of the whole one, with the same bytes.
fn check(runs: &Runs, whole: &BTreeMap<String, Vec<u8>>, at: &str, stop: &dyn Fn() -> bool) {
    let name = format!("stopped-at-{at}");
    assert_eq!(runs.begin(&name, stop), Outcome::Interrupted, "{at}");
    assert!(matches!(runs.go_on(&name, &|| false), Outcome::Finished(_)));
    let found = files(&runs.path(&name));
    for (file, bytes) in whole {
        let same = found.get(file).is_some_and(|found| found == bytes);
        assert!(same, "stopped at {at}, {file} differs: {:?}", found.keys());
    }
    fs::remove_dir_all(runs.path(&name)).unwrap();
}

/// The files of a whole run, and the number of questions that it is asked.
fn whole(runs: &Runs) -> (BTreeMap<String, Vec<u8>>, u64) {
    let questions = runs.questions();
    (files(&runs.path("whole")), questions)
}

/// At every step, and at some forty places inside the measurements; every place of one is tried in `interrupts.rs`.
#[test]
fn stopped_anywhere() {
    let runs = Runs::new(&[ALL]);
    let (whole, questions) = whole(&runs);
    // Four measurements of three groups at least, each of several products of several layers.
    assert!(questions > 100, "{questions}");
    for step in 0..9 {
        check(&runs, &whole, &format!("step-{step}"), &at_step(step));
    }
    for question in (0..questions).step_by((questions / 40).max(1) as usize).chain([questions - 1]) {
        check(&runs, &whole, &format!("question-{question}"), &at_question(question));
    }
}

/// In the passes of a step that takes several, with noises that remember their strength and under two gradients a step.
#[test]
fn stopped_within_a_step() {
    let noise = "[{kind = \"label-flip\", probability = 0.3, strength = 0.02}, {kind = \"isotropic-loss-scaled\", sigma = 0.1}]";
    let runs = Runs::new(&[&[
        ("optimizer.batch_size", "full"),
        ("train.microbatch", "13"),
        ("train.epochs", "4"),
        ("noise", noise),
        ("optimizer.sam.rho", "0.1"),
        ("metrics.trace", "false"),
        ("metrics.noise_strength.every_steps", "2"),
    ]]);
    let (whole, questions) = whole(&runs);
    // Four steps, of at least two gradients in four passes each.
    assert!(questions >= 4 * 2 * 3, "{questions}");
    for question in 0..questions {
        check(&runs, &whole, &format!("question-{question}"), &at_question(question));
    }
}

/// Stopped again and again.
#[test]
fn stopped_many_times() {
    let runs = Runs::new(&[ALL]);
    let (whole, questions) = whole(&runs);
    // No measurement has so many questions, so that each process gets further.
    let at = || at_question(questions * 2 / 5);
    let mut outcome = runs.begin("many", &at());
    let mut stops = 0;
    while outcome == Outcome::Interrupted {
        stops += 1;
        outcome = runs.go_on("many", &at());
    }
    assert!(stops >= 2, "{stops}");
    let found = files(&runs.path("many"));
    assert!(whole.iter().all(|(file, bytes)| found.get(file) == Some(bytes)));
}

/// Every noise, schedule, normalisation and batch, with and without momentum, in the middle of an epoch.
#[test]
fn stopped_under_every_kind() {
    let resnet = "{kind = \"resnet\", width = 2, blocks = [1, 1], norm = \"batch\"}";
    let group = "{kind = \"resnet\", width = 4, blocks = [1, 1], norm = \"group\", channels_per_group = 2}";
    let images = "{kind = \"cifar10-1k\", limit = 12, test_limit = 5, augment = true}";
    let few = [("optimizer.batch_size", "5"), ("train.epochs", "2"), ("data", images), ("metrics.trace.probes", "1")];
    let kinds: &[&[(&str, &str)]] = &[
        &[("noise", "{kind = \"none\"}")],
        &[("noise", "{kind = \"none\"}"), ("optimizer.momentum", "0.9"), ("optimizer.nesterov", "true")],
        &[("noise", "{kind = \"label-flip\", probability = 0.3, to = \"uniform\"}")],
        &[("noise", "{kind = \"label-smoothing\", probability = 0.3}")],
        &[(
            "noise",
            "{kind = \"label-flip\", probability = 0.3, schedule = {kind = \"step-decay\", at_steps = [3], factor = 0.5}}",
        )],
        &[("noise", "{kind = \"sgd-covariance\", strength = 0.01, strength_every = 2}"), ("optimizer.momentum", "0.9")],
        &[("noise", "{kind = \"isotropic\", like = {kind = \"minibatch\"}}"), ("optimizer.sam.rho", "0.1")],
        &[("noise", "{kind = \"langevin\", strength = 0.01}")],
        &[
            (
                "noise",
                "[{kind = \"label-flip\", probability = 0.3, strength = 0.02}, {kind = \"logit-gaussian\", strength = 0.01, \
                 strength_every = 2}, {kind = \"parameter-gaussian\", sigma = 0.01}]",
            ),
            ("optimizer.momentum", "0.9"),
        ],
        &[
            ("data", "{kind = \"mnist-1k\", limit = 50, binary = true}"),
            ("loss.kind", "square"),
            ("noise", "{kind = \"label-noise\", sigma = 0.3}"),
            ("metrics.noise_strength.every_steps", "2"),
        ],
        &[
            (
                "noise",
                "{kind = \"parameter-gaussian\", sigma = 0.01, schedule = {kind = \"warmup-constant\", warmup_steps = 5}}",
            ),
            ("optimizer.momentum", "0.5"),
        ],
        &[("schedule", "{kind = \"warmup-constant\", warmup_epochs = 2}"), ("metrics.every_epochs", "2")],
        &[("metrics.every_steps", "2"), ("metrics.noise_strength.every_steps", "3")],
        &[("schedule", "{kind = \"warmup-cosine\", warmup_steps = 2}"), ("metrics.at_ends", "false")],
        &[("schedule", "{kind = \"step-decay\", at_steps = [3, 5], factor = 0.5}"), ("metrics.enabled", "false")],
        &[
            ("optimizer.batch_size", "full"),
            ("train.microbatch", "7"),
            ("train.epochs", "9"),
            ("optimizer.momentum", "0.9"),
        ],
        &[("train.steps", "7"), ("train.drop_last", "true"), ("train.epochs", "5")],
        &[("metrics.spectrum", "{probes = 1, steps = 4, deflate = 1}"), ("metrics.gauss_newton", "true")],
        &[&few[..], &[("model", resnet), ("optimizer.momentum", "0.9")]].concat(),
        &[&few[..], &[("model", group)]].concat(),
    ];
    for kind in kinds {
        let runs = Runs::new(&[kind]);
        let (whole, questions) = whole(&runs);
        for step in [1, 4] {
            check(&runs, &whole, &format!("step-{step}"), &at_step(step));
        }
        let question = questions * 2 / 3;
        check(&runs, &whole, &format!("question-{question}"), &at_question(question));
    }
}

/// A goal that was reached before the last measurement was cut short still ends the run.
#[test]
fn a_goal_is_remembered() {
    let runs = Runs::new(&[&[("train.stop_loss", "1e9"), ("metrics.every_epochs", "3")]]);
    let (whole, questions) = whole(&runs);
    assert!(whole.contains_key("step-00000003.json") && !whole.contains_key("step-00000004.json"));
    // The last question is in the second group of the last measurement.
    check(&runs, &whole, "the-last-question", &at_question(questions - 1));
}

/// Of the last two and the best remain those; the best is the first with the greatest accuracy.
#[test]
fn only_some_are_kept() {
    let keep = [("train.checkpoint", "{every_epochs = 1, keep = 2, best = \"test_accuracy\"}"), ("train.epochs", "8")];
    let runs = Runs::new(&[ALL, &keep]);
    let (whole, questions) = whole(&runs);
    let rows = String::from_utf8(whole["metrics.jsonl"].clone()).unwrap();
    let rows = rows.lines().map(|row| serde_json::from_str::<serde_json::Value>(row).unwrap());
    let measured: Vec<(f64, u64)> = rows
        .filter(|row| row["kind"] == "measurement")
        .map(|row| (row["metrics"]["test_accuracy"]["value"].as_f64().unwrap(), row["step"].as_u64().unwrap()))
        .collect();
    let best = measured.iter().fold((-1.0, 0), |best, found| if found.0 > best.0 { *found } else { best }).1;
    assert!(0 < best && best < 21, "the best is among the last: choose another seed, {measured:?}");
    let sidecars: Vec<_> = whole.keys().filter(|name| name.ends_with(".json")).cloned().collect();
    assert_eq!(sidecars, [best, 21, 24].map(|step| format!("step-{step:08}.json")));
    assert_eq!(whole.len(), 3 * 3 + 1, "{:?}", whole.keys());
    for question in [questions / 3, questions * 3 / 4] {
        let name = format!("stopped-{question}");
        assert_eq!(runs.begin(&name, &at_question(question)), Outcome::Interrupted);
        // What a process that is killed while it saves leaves.
        for file in ["step-00000002.safetensors.4711.tmp", "step-00000024.state.safetensors.4711.tmp"] {
            fs::write(runs.path(&name).join("checkpoints").join(file), "half").unwrap();
        }
        runs.go_on(&name, &|| false);
        assert_eq!(files(&runs.path(&name)), whole);
    }
}

/// A run whose weights leave the numbers keeps the last state that had not, wherever that is seen.
#[test]
fn divergence_keeps_the_last_finite_state() {
    for checkpoint in ["{every_steps = 1}", "{every_minutes = 1e-9}", "{every_epochs = 1}"] {
        let runs = Runs::new(&[&[
            // From step 5 on the learning rate is 1e38.
            ("optimizer.lr", "0.1"),
            ("schedule", "{kind = \"step-decay\", at_steps = [4], factor = 1e39}"),
            ("train.checkpoint", checkpoint),
            ("metrics.enabled", "false"),
        ]]);
        let outcome = runs.begin("run", &|| false);
        assert!(matches!(outcome, Outcome::Diverged(_)), "{outcome:?}");
        let plan = runs.plan();
        let kept = resume(&runs.path("run"), &plan).unwrap();
        assert!(kept.skipped.is_empty());
        let expected = if checkpoint.contains("epochs") { 3 } else { 4 };
        assert_eq!(kept.trainer.steps(), expected, "{checkpoint}");
    }
}

/// A loss above a multiple of the first epoch's ends the run, also where the first epoch was another process; what is kept is
/// the last state that was saved or ended an epoch before.
#[test]
fn a_loss_above_a_multiple_is_a_divergence() {
    let runs = Runs::new(&[&[
        // From step 7, the third epoch, on the learning rate is 50.
        ("optimizer.lr", "0.1"),
        ("schedule", "{kind = \"step-decay\", at_steps = [6], factor = 500}"),
        ("train.diverged_above", "5"),
        ("train.epochs", "5"),
        ("metrics.enabled", "false"),
    ]]);
    let [outcome, later] =
        [("whole", 99), ("stopped", 4)].map(|(name, question)| match runs.begin(name, &at_question(question)) {
            Outcome::Interrupted => runs.go_on(name, &|| false),
            outcome => outcome,
        });
    let Outcome::Diverged(reason) = &outcome else { panic!("{outcome:?}") };
    assert!(reason.contains("above 5 times the first one"), "{reason}");
    assert_eq!(outcome, later);
    let plan = runs.plan();
    // The third epoch ends at step 9; its last checkpoint is of step 8.
    assert_eq!(resume(&runs.path("whole"), &plan).unwrap().trainer.steps(), 8);
    assert_eq!(files(&runs.path("whole"))["metrics.jsonl"], files(&runs.path("stopped"))["metrics.jsonl"]);
}

/// Rows after the checkpoint and a torn one are cut off; missing ones, other data and other networks are refused.
#[test]
fn what_does_not_fit_is_refused() {
    let runs = Runs::new(&[]);
    runs.begin("run", &at_step(5));
    let run = runs.path("run");
    let rows = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let try_on = |config: &Config| -> Result<(), TrainError> {
        let plan = Plan::new(config.clone(), &runs.cpu.device, burn::tensor::DType::F32)?;
        let mut folder = RunFolder::open(&run)?;
        folder.go_on(&resume(&run, &plan)?, &runs.cpu, &[]).map(drop)
    };
    fs::write(run.join("metrics.jsonl"), format!("{rows}{{\"kind\":\"epoch\"}}\n{{\"kind\":\"ep")).unwrap();
    try_on(&runs.config).unwrap();
    assert_eq!(fs::read_to_string(run.join("metrics.jsonl")).unwrap(), rows);
    let env: serde_json::Value = serde_json::from_slice(&fs::read(run.join("env.json")).unwrap()).unwrap();
    assert_eq!(env["resumed"].as_array().unwrap().len(), 1, "{env}");

    let refused = |config: &Config, part: &str| {
        let message = try_on(config).unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
    };
    let other = |key, value| read(&[TINY, &[(key, value)]].concat()).unwrap();
    refused(&other("model.hidden", "[5]"), "model.hidden: [4] then, [5] now");
    fs::write(run.join("metrics.jsonl"), "").unwrap();
    refused(&runs.config, "metrics.jsonl has 0 whole rows, expected at least 3");
    fs::write(run.join("metrics.jsonl"), &rows).unwrap();

    // One process at a time, and not where no run is.
    let open = RunFolder::open(&run).unwrap();
    assert_eq!(RunState::of(&run), RunState::Running);
    refused(&runs.config, "another process holds");
    drop(open);
    try_on(&runs.config).unwrap();
    fs::remove_file(run.join("config.toml")).unwrap();
    refused(&runs.config, "is no run folder, it has no config.toml");
}

/// A torn checkpoint is passed over for the one before; without any the run begins again.
#[test]
fn a_torn_checkpoint_is_skipped() {
    let runs = Runs::new(&[ALL]);
    let (whole, _) = whole(&runs);
    let plan = runs.plan();
    for (torn, content) in [("safetensors", None), ("state.safetensors", Some(&b"torn"[..])), ("json", Some(b"{"))] {
        let run = runs.path(torn);
        runs.begin(torn, &at_step(5));
        let before = resume(&run, &plan).unwrap().trainer.steps();
        let path = run.join(format!("checkpoints/step-{before:08}.{torn}"));
        match content {
            Some(content) => fs::write(&path, content).unwrap(),
            None => fs::File::options().write(true).open(&path).unwrap().set_len(500).unwrap(),
        }
        let resumed = resume(&run, &plan).unwrap();
        assert!(resumed.trainer.steps() < before && resumed.trainer.steps() > 0);
        assert_eq!(resumed.skipped.len(), 1);
        assert!(resumed.skipped[0].contains("is skipped"), "{:?}", resumed.skipped);
        assert!(matches!(runs.go_on(torn, &|| false), Outcome::Finished(_)));
        let found = files(&run);
        assert!(whole.iter().all(|(file, bytes)| found.get(file) == Some(bytes)), "{torn}");
    }
    runs.begin("none", &at_step(5));
    for entry in fs::read_dir(runs.path("none/checkpoints")).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    runs.go_on("none", &|| false);
    assert_eq!(files(&runs.path("none")), whole);
}

/// Where `metrics.jsonl` lost rows, the newest checkpoint that has all of its own goes on; a digit of a sidecar that has
/// changed is noticed.
#[test]
fn lost_rows_and_a_changed_sidecar() {
    let runs = Runs::new(&[ALL]);
    let (whole, _) = whole(&runs);
    let plan = runs.plan();
    for (name, damaged) in [("cut", b"".as_slice()), ("flipped", b"\0\n")] {
        runs.begin(name, &at_step(5));
        let path = runs.path(name).join("metrics.jsonl");
        let before = resume(&runs.path(name), &plan).unwrap().trainer;
        let rows = fs::read(&path).unwrap();
        let lines: Vec<&[u8]> = rows.split_inclusive(|&c| c == b'\n').collect();
        let last = before.rows() as usize - 1;
        let half = &lines[last][..lines[last].len() / 2];
        fs::write(&path, [&lines[..last].concat()[..], half, damaged].concat()).unwrap();
        let resumed = resume(&runs.path(name), &plan).unwrap();
        assert!(0 < resumed.trainer.steps() && resumed.trainer.steps() < before.steps());
        let said = format!("metrics.jsonl has {last} whole rows, expected at least {}", last + 1);
        assert!(resumed.skipped[0].contains(&said), "{:?}", resumed.skipped);
        runs.go_on(name, &|| false);
        let found = files(&runs.path(name));
        assert!(whole.iter().all(|(file, bytes)| found.get(file) == Some(bytes)), "{name}");
    }

    runs.begin("sidecar", &at_step(5));
    let run = runs.path("sidecar");
    let before = resume(&run, &plan).unwrap().trainer.steps();
    let sidecar = run.join(format!("checkpoints/step-{before:08}.json"));
    let text = fs::read_to_string(&sidecar).unwrap();
    fs::write(&sidecar, text.replace("\"measurements\": ", "\"measurements\": 1")).unwrap();
    let resumed = resume(&run, &plan).unwrap();
    assert!(resumed.trainer.steps() < before);
    assert!(resumed.skipped[0].contains("its sidecar does not have the SHA-256"), "{:?}", resumed.skipped);
}

#[test]
fn a_folder_tells_its_state() {
    let place = tempfile::tempdir().unwrap();
    assert_eq!(RunState::of(&place.path().join("nothing")), RunState::None);
    assert_eq!(RunState::of(place.path()), RunState::None);
    for (status, state) in [
        ("running", RunState::Dead),
        ("finished", RunState::Finished),
        ("diverged", RunState::Diverged),
        ("interrupted", RunState::Interrupted),
        ("failed", RunState::Failed),
    ] {
        let text = serde_json::to_string(&Status::new(status, None, 3)).unwrap();
        fs::write(place.path().join("status.json"), text).unwrap();
        assert_eq!(RunState::of(place.path()), state);
    }
}
