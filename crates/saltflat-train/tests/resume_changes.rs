//! What may change between a checkpoint and the run that is resumed from it: some keys of the configuration, and where the data
//! lie. Everything else is refused, and nothing in the folder changes.
#![allow(clippy::unwrap_used)]

mod runs;
mod support;

use std::{fs, path::Path};

use burn::tensor::{DType, Device};
use runs::{ALL, Runs, TINY, at_step, files};
use saltflat_train::{CHANGEABLE, Outcome, Plan, RunFolder, TrainError, config::Config, resume};
use serde_json::{Value, json};
use support::read;

/// A run that was stopped at step 4.
fn stopped(overrides: &[(&str, &str)]) -> Runs {
    let runs = Runs::new(&[overrides]);
    // Two groups of the first measurement, four steps, two groups of the measurement after the third.
    assert_eq!(runs.begin("run", &at_step(4)), Outcome::Interrupted);
    runs
}

fn env(runs: &Runs) -> Value {
    serde_json::from_slice(&fs::read(runs.path("run/env.json")).unwrap()).unwrap()
}

/// Every key that decides what a step computes, each with both values.
#[test]
fn other_steps_are_refused() {
    let runs = stopped(&[]);
    let then = runs.config.clone();
    let before = (files(&runs.path("run")), fs::read(runs.path("run/env.json")).unwrap());
    #[allow(clippy::type_complexity)] // Keys with their values, and what is said.
    let cases: &[(&[(&str, &str)], &[&str])] = &[
        (&[("optimizer.batch_size", "10")], &["optimizer.batch_size: 20 then, 10 now"]),
        (&[("optimizer.batch_size", "7")], &["optimizer.batch_size: 20 then, 7 now"]),
        (&[("optimizer.batch_size", "full")], &["optimizer.batch_size: 20 then, \"full\" now"]),
        (&[("data", "{kind = \"mnist-1k\", limit = 40, test_limit = 20}")], &["data.limit: 50 then, 40 now"]),
        (&[("optimizer.momentum", "0.5")], &["optimizer.momentum: 0.0 then, 0.5 now"]),
        (&[("optimizer.lr", "0.2")], &["optimizer.lr: 0.1 then, 0.2 now"]),
        (&[("model.activation", "tanh")], &["model.activation: \"relu\" then, \"tanh\" now"]),
        (&[("model.hidden", "[4, 4]")], &["model.hidden: [4] then, [4, 4] now"]),
        (&[("loss.kind", "square")], &["loss.kind: \"cross_entropy\" then, \"square\" now"]),
        (&[("run.seed", "1")], &["run.seed: 0 then, 1 now"]),
        (&[("metrics.loss", "{smoothing = 0.3}")], &["metrics.loss.smoothing: absent then, 0.3 now"]),
        (&[("train.precision", "bf16")], &["train.precision: \"f32\" then, \"bf16\" now"]),
        (&[("train.drop_last", "true")], &["train.drop_last: false then, true now"]),
        (
            &[("train.checkpoint", "{every_steps = 2, best = \"loss\"}")],
            &["train.checkpoint.best: absent then, \"loss\" now"],
        ),
        (&[("optimizer.sam", "true")], &["optimizer.sam.rho: absent then, 0.05 now"]),
        (
            &[("noise", "{kind = \"label-smoothing\", probability = 0.3}"), ("train.epochs", "5")],
            &["noise.kind: \"label-flip\" then, \"label-smoothing\" now", "noise.probability: 0.2 then, 0.3 now"],
        ),
    ];
    for (change, expected) in cases {
        let now = Runs::new(&[change]).config;
        let plan = Plan::new(now.clone(), &Device::flex(), DType::F32).unwrap();
        let error = resume(&runs.path("run"), &plan).unwrap_err();
        assert!(error.is_bad_input(), "{error}");
        let said = error.to_string();
        for line in *expected {
            assert!(said.contains(line), "{change:?}: {said}");
        }
        // One line for each key, and none for what may change.
        assert_eq!(said.lines().filter(|line| line.contains(" then, ")).count(), expected.len(), "{said}");
    }
    assert!((files(&runs.path("run")), fs::read(runs.path("run/env.json")).unwrap()) == before, "a file changed");
    assert!(runs.go_on_from("run", &then, &|| false).is_ok());
}

/// A list of noises is one value, whose order does not count.
#[test]
fn another_list_of_noises_is_refused() {
    let flips = "{kind = \"label-flip\", probability = 0.2}";
    let both = |sigma: f64| format!("[{flips}, {{kind = \"logit-gaussian\", sigma = {sigma:?}}}]");
    let runs = stopped(&[("noise", &both(0.5))]);
    let then = runs.config.clone();
    let mut runs = runs;
    for (noise, parts) in [
        (both(0.25), &["noise: [{", "sigma = 0.5", "}] then, [{", "sigma = 0.25", "}] now"][..]),
        (flips.to_string(), &["noise: [{", "}] then, absent now", "noise.kind: absent then, \"label-flip\" now"]),
    ] {
        runs = runs.with(&[&[("noise", &noise)]]);
        let said = runs.go_on_from("run", &then, &|| false).unwrap_err().to_string();
        assert!(parts.iter().all(|part| said.contains(part)), "{said}");
    }
    let reversed = format!("[{{kind = \"logit-gaussian\", sigma = 0.5}}, {flips}]");
    assert!(runs.with(&[&[("noise", &reversed)]]).go_on_from("run", &then, &|| false).is_ok());
    // From a table to a list.
    let runs = stopped(&[]);
    let then = runs.config.clone();
    let runs = runs.with(&[&[("noise", &both(0.5))]]);
    let said = runs.go_on_from("run", &then, &|| false).unwrap_err().to_string();
    assert!(said.contains("noise: absent then, [{") && said.contains("noise.kind: \"label-flip\" then, absent now"));
}

/// What may change goes on, is in `config.toml`, and stands in `env.json` with both values.
#[test]
fn changes_of_what_no_step_sees_are_recorded() {
    let runs = stopped(&[("train.epochs", "4")]);
    let then = runs.config.clone();
    let now = [
        ("run.name", "renamed"),
        ("run.tensorboard", "true"),
        ("train.epochs", "3"),
        ("train.steps", "100"),
        ("train.stop_loss", "1e-9"),
        ("train.stop_accuracy", "1.0"),
        ("train.diverged_above", "1e9"),
        ("train.microbatch", "7"),
        ("train.checkpoint", "{every_epochs = 1, keep = 5}"),
        ("metrics.trace", "false"),
        ("metrics.eigenvalues", "{largest = 1, products = 12}"),
        ("metrics.samples", "30"),
    ];
    let runs = runs.with(&[&now]);
    let (_, outcome) = runs.go_on_from("run", &then, &|| false).unwrap();
    assert_eq!(outcome, Outcome::Finished("9 steps".into()));
    let resumed = &env(&runs)["resumed"][0];
    assert_eq!((&resumed["step"], &resumed["config_compared_with"]), (&json!(4), &json!("checkpoint")));
    let recorded = resumed["config_changes"].as_array().unwrap();
    for expected in [
        json!({"key": "train.epochs", "then": 4, "now": 3}),
        json!({"key": "train.steps", "then": null, "now": 100}),
        json!({"key": "run.name", "then": "run", "now": "renamed"}),
        json!({"key": "train.checkpoint.every_steps", "then": 2, "now": null}),
        json!({"key": "metrics.trace", "then": null, "now": false}),
    ] {
        assert!(recorded.contains(&expected), "{expected} is not in {recorded:#?}");
    }
    // No section of the list is without a change that it allows, but for those that need a file or another schedule.
    for (key, _) in CHANGEABLE.iter().filter(|(key, _)| !["data.path", "train.checkpoint.every_minutes"].contains(key))
    {
        let is_of = |change: &Value| change["key"].as_str().unwrap().starts_with(key);
        assert!(recorded.iter().any(is_of), "{key} is not in {recorded:#?}");
    }
    let written = fs::read_to_string(runs.path("run/config.toml")).unwrap();
    assert_eq!(Config::read(&written, Path::new("/base/config.toml"), &[]).unwrap(), runs.config);
    // The next one is compared with the checkpoints that were made since.
    let (_, _) = runs.go_on_from("run", &runs.config, &|| false).unwrap();
    assert_eq!(env(&runs)["resumed"][1]["config_changes"], json!([]));
}

/// The README names every key that may change.
#[test]
fn the_list_is_documented() {
    let readme = include_str!("../../../README.md");
    let section = readme.split_once("### What may change when a run is resumed").unwrap().1;
    let section = section.split_once("\n## ").unwrap().0;
    for (key, _) in CHANGEABLE {
        assert!(section.contains(&format!("`{key}`")), "{key}");
    }
}

/// The steps that were made do not depend on what may change: the weights at the end have the same bits.
#[test]
fn what_may_change_changes_no_step() {
    let whole = Runs::new(&[&ALL[..1]]);
    whole.begin("whole", &|| false);
    let runs = stopped(&ALL[..1]);
    let then = runs.config.clone();
    let now = [("metrics.enabled", "false"), ("train.checkpoint", "{every_minutes = 100.0}")];
    let runs = runs.with(&[&ALL[..1], &now]);
    runs.go_on_from("run", &then, &|| false).unwrap();
    let last = "step-00000009.safetensors";
    assert!(files(&runs.path("run"))[last] == files(&whole.path("whole"))[last]);
}

/// A cosine's factor at every step depends on the number of steps, so the run of another length would have made other steps.
#[test]
fn a_cosine_keeps_its_length() {
    let noise = "{kind = \"label-flip\", probability = 0.2, schedule = {kind = \"warmup-cosine\", warmup_steps = 2}}";
    for (schedule, place) in [
        (("schedule", "{kind = \"warmup-cosine\", warmup_steps = 2}"), "[schedule] is warmup-cosine"),
        (("noise", noise), "noise.schedule is warmup-cosine"),
    ] {
        let runs = stopped(&[schedule]);
        let then = runs.config.clone();
        let runs = runs.with(&[&[schedule, ("train.epochs", "5")]]);
        let said = runs.go_on_from("run", &then, &|| false).unwrap_err().to_string();
        assert!(said.contains("train.epochs: 3 then, 5 now") && said.contains(place), "{said}");
        let runs = runs.with(&[&[schedule, ("metrics.enabled", "false")]]);
        assert!(runs.go_on_from("run", &then, &|| false).is_ok());
    }
}

/// A run cannot end before the step at which it is, and batch normalisation sees the size of a pass.
#[test]
fn two_more_refusals() {
    let runs = stopped(&[]);
    let then = runs.config.clone();
    let runs = runs.with(&[&[("train.epochs", "1")]]);
    let said = runs.go_on_from("run", &then, &|| false).unwrap_err().to_string();
    assert!(said.contains("train.epochs: 3 then, 1 now, which is 3 steps; the run has made 4"), "{said}");

    let resnet = "{kind = \"resnet\", width = 2, blocks = [1, 1], norm = \"batch\"}";
    let images = "{kind = \"cifar10-1k\", limit = 12, test_limit = 5}";
    let small: &[(&str, &str)] =
        &[("data", images), ("model", resnet), ("optimizer.batch_size", "4"), ("metrics.enabled", "false")];
    let runs = Runs::new(&[small]);
    assert_eq!(runs.begin("run", &at_step(4)), Outcome::Interrupted);
    let then = runs.config.clone();
    let runs = runs.with(&[small, &[("train.microbatch", "4")]]);
    let said = runs.go_on_from("run", &then, &|| false).unwrap_err().to_string();
    assert!(said.contains("train.microbatch: absent then, 4 now") && said.contains("batch normalisation"), "{said}");
}

/// The data are the same if their content is: where they lie, and how that is spelled, is no part of it.
#[test]
fn data_are_compared_by_their_content() {
    let runs = stopped(&[]);
    let go_on = |change: &dyn Fn(&mut Plan)| -> Result<(), TrainError> {
        let mut plan = runs.plan();
        change(&mut plan);
        let mut folder = RunFolder::open(&runs.path("run"))?;
        folder.resume(&resume(&runs.path("run"), &plan)?, &runs.cpu, &[]).map(drop)
    };
    go_on(&|plan| plan.sources[1].0 = "/elsewhere/MNIST/raw/train-labels-idx1-ubyte".into()).unwrap();
    let said = go_on(&|plan| plan.sources[1].1 = "0123".into()).unwrap_err().to_string();
    let (file, sha256) = &runs.plan().sources[1];
    assert!(said.contains(&format!("{file} had SHA-256 {sha256} when the run began, {file} has 0123 now")), "{said}");
    assert!(!said.contains(&runs.plan().sources[0].1), "{said}");
    // Two files in each other's place are other data.
    assert!(go_on(&|plan| plan.sources.swap(0, 2)).is_err());
    assert!(
        go_on(&|plan| drop(plan.sources.pop())).unwrap_err().to_string().contains("4 files when it began and are 3")
    );
}

/// A checkpoint of a version that did not keep the configuration (commit d4e400e, `saltflat train` of the `config.toml` beside it)
/// goes on; what the sidecar knows is still compared.
#[test]
fn a_checkpoint_without_a_configuration() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/run-without-config");
    let plan = |overrides: &[(&str, &str)]| {
        let text = fs::read_to_string(fixture.join("config.toml")).unwrap();
        let overrides: Vec<_> = overrides.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let config = Config::read(&text, &fixture.join("config.toml"), &overrides).unwrap();
        Plan::new(config, &Device::flex(), DType::F32).unwrap()
    };
    let resumed_plan = plan(&[("train.epochs", "5")]);
    let resumed = resume(&fixture, &resumed_plan).unwrap();
    assert!(!resumed.config_changes.is_complete && resumed.config_changes.keys.is_empty());
    assert_eq!((resumed.trainer.steps(), resumed.trainer.rows(), resumed.trainer.finished()), (9, 7, None));
    for (key, value, part) in
        [("run.seed", "1", "is of seed 0, config.toml says 1"), ("model.hidden", "[4]", "does not fit the network")]
    {
        let plan = plan(&[(key, value)]);
        let said = resume(&fixture, &plan).unwrap_err().to_string();
        assert!(said.contains(part), "{said}");
    }
}

/// A sidecar whose configuration was edited does not have its checksum any more.
#[test]
fn the_configuration_of_a_checkpoint_has_a_checksum() {
    let runs = stopped(&[]);
    let path = runs.path("run/checkpoints/step-00000004.json");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("batch_size = 20"), "{text}");
    fs::write(&path, text.replace("batch_size = 20", "batch_size = 10")).unwrap();
    let other = read(&[TINY, &[("optimizer.batch_size", "10")]].concat()).unwrap();
    let plan = Plan::new(other, &Device::flex(), DType::F32).unwrap();
    let said = resume(&runs.path("run"), &plan).unwrap_err().to_string();
    // The checkpoint before is used, and it refuses the change.
    assert!(said.contains("optimizer.batch_size: 20 then, 10 now"), "{said}");
}
