//! A finished run that goes on with more epochs makes the steps, bit for bit, of a run that had as many from the beginning.
//! Its rows are the same, too, if a measurement was due at the old end anyway; otherwise the measurement at the old end
//! (`metrics.at_ends`) is a row more.
#![allow(clippy::unwrap_used)]

mod runs;
mod support;

use runs::{ALL, Runs, files};
use saltflat_train::{Outcome, RunFolder, SavedRun};
use serde_json::Value;

type Overrides<'a> = &'a [(&'a str, &'a str)];

/// Runs with `short`, goes on with `long`, and runs with `long` from the beginning; all of them with `kind`.
fn both(kind: Overrides<'_>, short: Overrides<'_>, long: Overrides<'_>) -> Runs {
    let runs = Runs::new(&[kind, short]);
    assert!(matches!(runs.begin("run", &|| false), Outcome::Finished(_)), "{kind:?}");
    let then = runs.config.clone();
    let runs = runs.with(&[kind, long]);
    let (_, outcome) = runs.resume_from("run", &then, &|| false).unwrap();
    assert_eq!(outcome, runs.begin("whole", &|| false), "{kind:?}");
    runs
}

fn rows(runs: &Runs, name: &str) -> Vec<Value> {
    let text = String::from_utf8(files(&runs.path(name))["metrics.jsonl"].clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The weights and what is carried with them, at the last step.
fn same_weights(runs: &Runs, step: u64) {
    let [run, whole] = ["run", "whole"].map(|name| files(&runs.path(name)));
    for name in [format!("step-{step:08}.safetensors"), format!("step-{step:08}.state.safetensors")] {
        assert!(run[&name] == whole[&name], "{name}");
    }
}

/// Every kind of state that is carried from step to step: all rows and all later checkpoints have the same bytes.
#[test]
fn more_epochs() {
    let strength = "{kind = \"sgd-covariance\", strength = 0.01, strength_every = 2}";
    let marks = "{kind = \"label-flip\", probability = 0.3, schedule = {kind = \"step-decay\", at_steps = [4, 11], factor = 0.5}}";
    let kinds: &[Overrides<'_>] = &[
        ALL,
        &[("noise", "{kind = \"none\"}"), ("optimizer.momentum", "0.9"), ("optimizer.nesterov", "true")],
        &[("noise", strength), ("optimizer.momentum", "0.9")],
        &[("noise", marks), ("schedule", "{kind = \"warmup-constant\", warmup_epochs = 4}"), ("train.epochs", "5")],
        &[("noise", "{kind = \"isotropic\", like = {kind = \"minibatch\"}}"), ("optimizer.sam.rho", "0.1")],
        &[
            ("data", "{kind = \"mnist-1k\", limit = 50, binary = true}"),
            ("loss.kind", "square"),
            ("noise", "{kind = \"label-noise\", sigma = 0.3}"),
            ("metrics.noise_strength.every_steps", "2"),
        ],
        &[("optimizer.batch_size", "full"), ("optimizer.momentum", "0.9"), ("train.checkpoint.every_steps", "1")],
        &[("train.drop_last", "true"), ("metrics.enabled", "false")],
        &[("metrics.every_steps", "3")],
    ];
    for kind in kinds {
        let short = if kind.iter().any(|(key, _)| *key == "train.epochs") { "4" } else { "2" };
        let runs = both(kind, &[("train.epochs", short)], &[("train.epochs", "5")]);
        let [run, whole] = ["run", "whole"].map(|name| files(&runs.path(name)));
        assert!(run["metrics.jsonl"] == whole["metrics.jsonl"], "{kind:?}");
        let last = format!("step-{:08}.json", runs.plan().steps);
        assert!(whole.contains_key(&last));
        for (name, bytes) in &whole {
            // A sidecar before the old end carries the configuration of then.
            let of_then = name.ends_with(".json") && *name != last;
            assert!(of_then || run[name] == *bytes, "{kind:?}: {name}");
        }
    }
}

/// The measurement at the old end is one more where none was due; the other rows and all steps are the same.
#[test]
fn the_measurement_at_the_old_end() {
    let kind = [("metrics.every_epochs", "2"), ("metrics.noise_strength", "false"), ("optimizer.momentum", "0.9")];
    let runs = both(&kind, &[("train.epochs", "3")], &[("train.epochs", "6")]);
    same_weights(&runs, 18);
    let (mut run, whole) = (rows(&runs, "run"), rows(&runs, "whole"));
    let at = run.iter().position(|row| row["kind"] == "measurement" && row["step"] == 9).unwrap();
    run.remove(at);
    assert_eq!(run, whole);
}

/// An end within an epoch leaves a row of the part; the row of the whole epoch, the first loss and every step are those of the run
/// that did not end there.
#[test]
fn an_end_within_an_epoch() {
    let kind = [("optimizer.momentum", "0.9"), ("train.diverged_above", "1e6")];
    for (short, long) in [("2", "7"), ("7", "12")] {
        let runs = both(&kind, &[("train.steps", short)], &[("train.steps", long), ("train.epochs", "9")]);
        let (old, end): (u64, u64) = (short.parse().unwrap(), long.parse().unwrap());
        same_weights(&runs, end);
        let of_old_end = |row: &Value| row["step"] == old;
        let (mut run, mut whole) = (rows(&runs, "run"), rows(&runs, "whole"));
        assert_eq!(run.iter().filter(|row| of_old_end(row)).count(), 2);
        run.retain(|row| !of_old_end(row));
        // The measurement at the old end used the noise of the steps before, so the one of the next epoch has only the steps after.
        let next = old.next_multiple_of(3);
        for row in run.iter_mut().chain(&mut whole).filter(|row| row["step"] == next && row["kind"] == "measurement") {
            assert!(row["metrics"].as_object_mut().unwrap().remove("trace_from_noise").unwrap()["value"].is_number());
        }
        assert_eq!(run, whole);
        let first_loss = |name: &str| {
            let sidecar = &files(&runs.path(name))[&format!("step-{end:08}.json")];
            serde_json::from_slice::<Value>(sidecar).unwrap()["progress"]["first_loss"].clone()
        };
        assert!(first_loss("run").is_string());
        assert_eq!(first_loss("run"), first_loss("whole"));
    }
}

/// A run that a goal ended would have ended there with more epochs, too: it goes on only with another goal.
#[test]
fn a_goal_that_was_reached() {
    let begin = || {
        let runs = Runs::new(&[&[("train.stop_loss", "1e9")]]);
        let Outcome::Finished(reason) = runs.begin("run", &|| false) else { panic!("it goes on") };
        assert!(reason.contains("reached stop_loss"), "{reason}");
        let then = runs.config.clone();
        (runs, then)
    };
    for still in
        [[("train.stop_loss", "1e9"), ("train.epochs", "6")], [("train.stop_loss", "1e8"), ("train.epochs", "3")]]
    {
        let (runs, then) = begin();
        let runs = runs.with(&[&still]);
        let saved = SavedRun::find(&runs.path("run")).unwrap();
        let changes = saved.config_changes(&then, &runs.config).unwrap();
        assert!(changes.moves_the_end());
        let plan = runs.plan();
        let finished = saved.resume(&plan, changes).unwrap().trainer.finish_reason().unwrap();
        assert!(finished.contains("reached stop_loss"), "{finished}");
    }
    // The goal is taken away, or is one that the epoch did not reach.
    for goal in [&[("train.epochs", "3")][..], &[("train.stop_loss", "1e-9")]] {
        let (runs, then) = begin();
        let runs = runs.with(&[goal]);
        let (before, outcome) = runs.resume_from("run", &then, &|| false).unwrap();
        assert_eq!((before.rows.len(), outcome), (3, Outcome::Finished("9 steps".into())));
        runs.begin("whole", &|| false);
        assert_eq!(rows(&runs, "run"), rows(&runs, "whole"));
        same_weights(&runs, 9);
    }
}

/// Without more epochs nothing is left to do.
#[test]
fn a_finished_run_stays_finished() {
    let runs = Runs::new(&[]);
    runs.begin("run", &|| false);
    for epochs in ["3", "1"] {
        let then = runs.config.clone();
        let shorter = Runs::new(&[&[("train.epochs", epochs)]]);
        let saved = SavedRun::find(&runs.path("run")).unwrap();
        let changes = saved.config_changes(&then, &shorter.config).unwrap();
        assert_eq!(changes.moves_the_end(), epochs != "3");
        let plan = shorter.plan();
        assert_eq!(saved.resume(&plan, changes).unwrap().trainer.finish_reason(), Some("9 steps".into()));
    }
    assert!(RunFolder::open(&runs.path("run")).is_ok());
}
