//! `saltflat train` end to end.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;

use support::{Place, last_checkpoint, text};

#[test]
fn a_run_leaves_its_folder_and_a_row_an_epoch() {
    let place = Place::new();
    let output = place.trained(&["tiny.toml"]);
    let table = text(&output.stdout);
    assert_eq!(table.lines().count(), 1 + 3, "a head, the start and two epochs:\n{table}");
    for name in ["epoch", "loss", "tr H", "|H|_F", "alpha", "beta", "mu"] {
        assert!(table.lines().next().unwrap().contains(name), "{table}");
    }
    assert!(text(&output.stderr).contains("results/tiny/metrics.jsonl"), "{}", text(&output.stderr));

    let measurements = place.measurements("results/tiny");
    assert_eq!(measurements.len(), 3);
    let last = &measurements[2]["metrics"];
    for (name, probes) in [("trace_hessian", 3), ("hessian_frobenius", 3), ("trace_from_noise", 4)] {
        assert!(last[name]["value"].is_f64(), "{name}");
        assert!(last[name]["std_error"].as_f64().unwrap() > 0.0, "{name}");
        assert_eq!(last[name]["probes"], probes, "{name}");
    }
    for name in [
        "loss",
        "accuracy",
        "test_loss",
        "test_accuracy",
        "grad_norm",
        "weight_norm",
        "alpha",
        "beta",
        "mu",
        "mu1",
        "mu2",
        "chi_min_over_mean",
        "gram_frobenius",
        "noise_frobenius",
        "wu_bound_frobenius",
    ] {
        assert!(last[name]["value"].is_f64(), "{name}: {}", last[name]);
    }
    let by_tensor: f64 =
        last["trace_hessian_by_tensor"].as_object().unwrap().values().map(|e| e["value"].as_f64().unwrap()).sum();
    assert!((by_tensor / last["trace_hessian"]["value"].as_f64().unwrap() - 1.0).abs() < 1e-9);
    assert!(measurements[0]["metrics"]["trace_from_noise"]["reason"].is_string());
    assert!(measurements[0]["metrics"]["trace_from_noise_expected"]["value"].is_f64());
    for row in &measurements {
        assert_eq!(row["measured_loss"]["kind"], "cross_entropy");
        assert_eq!(row["measured_loss"]["smoothing"], 0.2);
    }

    let status: serde_json::Value = serde_json::from_str(&place.read("results/tiny/status.json")).unwrap();
    assert_eq!(status["status"], "finished");
    assert_eq!(status["step"], 8);
    let env: serde_json::Value = serde_json::from_str(&place.read("results/tiny/env.json")).unwrap();
    assert_eq!(env["backend"], "flex");
    assert_eq!(env["datasets"].as_array().unwrap()[0]["sha256"].as_str().unwrap().len(), 64);
    assert!(!place.read("results/tiny/log.txt").is_empty());
}

/// What the run folder says it ran is what runs again: bit-equal weights.
#[test]
fn a_resolved_configuration_reproduces_the_run() {
    let place = Place::new();
    place.trained(&["tiny.toml", "--set", "run.seed=3", "--out", "first"]);
    place.trained(&["first/config.toml", "--out", "second"]);
    assert!(place.weights("first") == place.weights("second"));
    assert_eq!(place.read("first/metrics.jsonl"), place.read("second/metrics.jsonl"));
    place.trained(&["tiny.toml", "--set", "run.seed=4", "--out", "third"]);
    assert!(place.weights("first") != place.weights("third"));
}

/// Measuring draws from streams of its own and changes nothing: bit-equal weights with all metrics and with none.
#[test]
fn metrics_do_not_change_the_trajectory() {
    let place = Place::new();
    for noise in [
        "{kind=\"none\"}",
        "{kind=\"label-flip\", probability=0.3, to=\"uniform\"}",
        "{kind=\"parameter-gaussian\", sigma=0.01}",
    ] {
        let noise = format!("noise={noise}");
        let _ = fs::remove_dir_all(place.path("on"));
        let _ = fs::remove_dir_all(place.path("off"));
        place.trained(&["tiny.toml", "--out", "on", "--set", &noise]);
        place.trained(&["tiny.toml", "--out", "off", "--set", &noise, "--set", "metrics.enabled=false"]);
        assert!(place.weights("on") == place.weights("off"), "{noise}");
        assert!(place.measurements("off").is_empty());
    }
}

/// Strength 0 is plain SGD, bit for bit.
#[test]
fn noise_of_strength_zero_is_plain_sgd() {
    let place = Place::new();
    let run = |out: &str, noise: &str| {
        place.trained(&[
            "tiny.toml",
            "--out",
            out,
            "--set",
            &format!("noise={noise}"),
            "--set",
            "metrics.enabled=false",
        ]);
        place.weights(out)
    };
    let plain = run("plain", "{kind=\"none\"}");
    assert!(run("flip", "{kind=\"label-flip\", probability=0.0}") == plain);
    assert!(run("uniform", "{kind=\"label-flip\", probability=0.0, to=\"uniform\"}") == plain);
    assert!(run("smoothing", "{kind=\"label-smoothing\", probability=0.0}") == plain);
    assert!(run("gaussian", "{kind=\"parameter-gaussian\", sigma=0.0}") == plain);
    assert!(run("noisy", "{kind=\"label-flip\", probability=0.2}") != plain);
}

/// A full batch is the same gradient whatever the microbatch, up to rounding.
#[test]
fn full_batch_accumulates_over_microbatches() {
    let place = Place::new();
    let run = |out: &str, microbatch: &str| {
        let microbatch = format!("train.microbatch={microbatch}");
        let args = ["tiny.toml", "--out", out, "--set", "optimizer.batch_size=\"full\"", "--set", &microbatch];
        place.trained(&args);
        let last = place.measurements(out).pop().unwrap();
        assert_eq!(last["step"], 2);
        last["metrics"]["loss"]["value"].as_f64().unwrap()
    };
    let (whole, parts) = (run("whole", "512"), run("parts", "7"));
    assert!((whole / parts - 1.0).abs() < 1e-5, "{whole} {parts}");
}

/// A run starts from another's last checkpoint, from the file itself, and measures there what the other measured.
#[test]
fn init_from_a_run_or_a_file() {
    let place = Place::new();
    place.trained(&["tiny.toml", "--out", "first"]);
    let end = place.measurements("first").pop().unwrap();
    let file = last_checkpoint(&place.path("first"));
    for (out, init) in [("from-run", place.path("first")), ("from-file", file)] {
        let init = format!("train.init={:?}", init.to_str().unwrap());
        place.trained(&["tiny.toml", "--out", out, "--set", &init]);
        let start = place.measurements(out).remove(0);
        for name in ["loss", "accuracy", "grad_norm", "weight_norm", "mu"] {
            assert_eq!(start["metrics"][name], end["metrics"][name], "{name}");
        }
    }
}

#[test]
fn goals_end_a_run() {
    let place = Place::new();
    let quiet = [
        "--set",
        "noise={kind=\"none\"}",
        "--set",
        "optimizer.lr=0.02",
        "--set",
        "train.epochs=200",
        "--set",
        "metrics.every_epochs=1000",
    ];
    place.trained(&[&["tiny.toml", "--out", "loss", "--set", "train.stop_loss=0.5"], &quiet[..]].concat());
    place.trained(&[&["tiny.toml", "--out", "accuracy", "--set", "train.stop_accuracy=0.9"], &quiet[..]].concat());
    for (out, goal) in [("loss", "stop_loss"), ("accuracy", "stop_accuracy")] {
        let status: serde_json::Value = serde_json::from_str(&place.read(&format!("{out}/status.json"))).unwrap();
        assert!(status["reason"].as_str().unwrap().contains(goal), "{status}");
        assert!(status["step"].as_u64().unwrap() < 800);
    }
}

#[test]
fn a_dry_run_says_what_would_run_and_leaves_nothing() {
    let place = Place::new();
    let output = place.trained(&["tiny.toml", "--dry-run"]);
    let said = text(&output.stdout);
    for part in ["kind = \"label-flip\"", "parameters: 6370", "8 of 30 samples", "an epoch", "memory"] {
        assert!(said.contains(part), "no {part:?} in:\n{said}");
    }
    assert!(!place.path("results").exists());
    let resolved = said.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n");
    place.write("resolved.toml", resolved);
    place.trained(&["resolved.toml"]);
}

#[test]
fn divergence_is_a_result() {
    let place = Place::new();
    let output = place.train(&["tiny.toml", "--set", "optimizer.lr=1e30", "--set", "train.epochs=9"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    let status: serde_json::Value = serde_json::from_str(&place.read("results/tiny/status.json")).unwrap();
    assert_eq!(status["status"], "diverged");
}

/// The first interrupt finishes the step, saves and exits 130.
#[cfg(unix)]
#[test]
fn an_interrupt_saves_and_exits() {
    let place = Place::new();
    let long = ["train", "tiny.toml", "--device", "cpu", "--set", "train.epochs=1000000"];
    let mut child =
        place.command(&long).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    while fs::read_to_string(place.path("results/tiny/metrics.jsonl")).map_or(0, |rows| rows.lines().count()) < 5 {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    support::send(nix::sys::signal::Signal::SIGINT, child.id());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let status: serde_json::Value = serde_json::from_str(&place.read("results/tiny/status.json")).unwrap();
    assert_eq!(status["status"], "interrupted");
    last_checkpoint(&place.path("results/tiny"));
}

/// Data from a file, real targets with noise on them: classes, images and vectors all come this way.
#[test]
fn shipped_images_train_a_convolutional_network() {
    let place = Place::new();
    let args = [
        "tiny.toml",
        "--set",
        "data={kind=\"cifar10-1k\", limit=20, test_limit=10, augment=true}",
        "--set",
        "model={kind=\"resnet\", width=4, blocks=[1, 1], channels_per_group=2}",
        "--set",
        "optimizer.batch_size=10",
        "--set",
        "metrics.trace.probes=2",
    ];
    place.trained(&args);
    let last = place.measurements("results/tiny").pop().unwrap();
    assert!(last["metrics"]["mu"]["value"].is_f64());
    // With its running statistics, as it is measured, batch normalisation leaves each sample a gradient of its own; in a training step it couples
    // the samples, and what follows from their gradients for the steps is absent and says why.
    let args = [
        "tiny.toml",
        "--out",
        "bn",
        "--set",
        "data={kind=\"cifar10-1k\", limit=20, test_limit=10}",
        "--set",
        "model={kind=\"resnet\", width=4, blocks=[1, 1], norm=\"batch\"}",
        "--set",
        "optimizer.batch_size=10",
    ];
    place.trained(&args);
    let last = place.measurements("bn").pop().unwrap();
    assert!(last["metrics"]["trace_hessian"]["value"].is_f64());
    assert!(last["metrics"]["alpha"]["value"].is_f64());
    for name in ["wu_bound_frobenius", "trace_from_noise_expected"] {
        assert!(last["metrics"][name]["value"].is_null());
        assert!(last["metrics"][name]["reason"].as_str().unwrap().contains("batch normalisation"), "{name}");
    }
}

/// `binary`: digits 0–4 against 5–9 as targets 0 and 1, square loss, label noise ±σ.
#[test]
fn real_targets_with_label_noise() {
    let place = Place::new();
    let args = [
        "tiny.toml",
        "--set",
        "data={kind=\"mnist-1k\", limit=100, binary=true}",
        "--set",
        "loss.kind=\"square\"",
        "--set",
        "noise={kind=\"label-noise\", sigma=0.3}",
        "--set",
        "optimizer.lr=0.01",
    ];
    place.trained(&args);
    let last = place.measurements("results/tiny").pop().unwrap();
    assert!(last["metrics"]["accuracy"]["value"].is_f64());
    assert!(last["metrics"]["trace_from_noise"]["value"].as_f64().unwrap() > 0.0);
}
