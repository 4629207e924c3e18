//! The GPU path against the CPU on whatever Vulkan adapter there is, Mesa's software one in CI: the same run, the same
//! numbers up to rounding. Without any adapter the test says that it was skipped.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;

use safetensors::SafeTensors;
use serde_json::Value;
use support::{Place, last_checkpoint, text};

/// The name of an adapter, or a word that the test was skipped.
fn adapter(place: &Place) -> Option<String> {
    let found = listed(place);
    if found.is_none() {
        eprintln!("skipped: no Vulkan adapter (install mesa-vulkan-drivers for a software one)");
    }
    found
}

/// From the message about an adapter that is not there.
fn listed(place: &Place) -> Option<String> {
    let output = place.command(&["train", "tiny.toml", "--device", "no such adapter"]).output().unwrap();
    let message = text(&output.stderr);
    let list = message.split("found ").nth(1)?.split("; a software").next()?;
    let first = list.split(", ").next()?.trim_end_matches(" (software)");
    Some(first.to_string())
}

fn weights(place: &Place, run: &str) -> Vec<f32> {
    let bytes = fs::read(last_checkpoint(&place.path(run))).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut names = file.names();
    names.sort_unstable();
    let floats = |name: &&str| -> Vec<f32> {
        let view = file.tensor(name).unwrap();
        view.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
    };
    names.iter().flat_map(floats).collect()
}

#[test]
fn the_gpu_path_agrees_with_the_cpu() {
    let place = Place::new();
    let Some(adapter) = adapter(&place) else { return };
    let small = "data={kind=\"mnist-1k\", limit=24, test_limit=10}";
    let mlp = vec![
        "--set",
        small,
        "--set",
        "model.activation=\"gelu\"",
        "--set",
        "optimizer.batch_size=12",
        "--set",
        "train.steps=3",
        "--set",
        "metrics.eigenvalues={largest=2, smallest=0}",
        "--set",
        "metrics.spectrum={probes=1, steps=4, deflate=0}",
        "--set",
        "metrics.stability=true",
    ];
    let conv = vec![
        "--set",
        "data={kind=\"cifar10-1k\", limit=4, test_limit=2, augment=true}",
        "--set",
        "optimizer.batch_size=4",
        "--set",
        "model={kind=\"resnet\", width=4, blocks=[1], channels_per_group=2}",
        "--set",
        "train.steps=1",
        "--set",
        "metrics.alignment.samples=3",
        "--set",
        "optimizer.lr=0.01",
        // Quadratic forms, two directions in a pass.
        "--set",
        "metrics.trace.frobenius=false",
        "--set",
        "metrics.gauss_newton={probes=2}",
    ];
    for (name, settings) in [("mlp", mlp), ("conv", conv)] {
        let probes = ["--set", "metrics.trace.probes=2", "--set", "metrics.every_epochs=100"];
        let (cpu, gpu) = (format!("{name}-cpu"), format!("{name}-gpu"));
        place.trained(&[&["tiny.toml", "--out", &cpu], &settings[..], &probes].concat());
        let on_gpu = [&["train", "tiny.toml", "--out", &gpu, "--device", &adapter], &settings[..], &probes].concat();
        // Choosing kernels by timing them takes minutes on a software adapter and changes no number.
        let output = place.command(&on_gpu).env("CUBECL_AUTOTUNE_LEVEL", "0").output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));

        let (a, b) = (weights(&place, &cpu), weights(&place, &gpu));
        let norm = |v: &mut dyn Iterator<Item = f32>| v.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt();
        let off = norm(&mut a.iter().zip(&b).map(|(a, b)| a - b)) / norm(&mut a.iter().copied());
        // f32 rounding through three steps: seen up to 3e-6.
        assert!(off < 1e-5, "{name}: weights differ by {off:.1e} (relative)");
        for (a, b) in place.measurements(&cpu).iter().zip(place.measurements(&gpu)) {
            for (metric, estimate) in a["metrics"].as_object().unwrap() {
                // Of a list of eigenvalues the first.
                let value = |estimate: &Value| estimate.get(0).unwrap_or(estimate)["value"].as_f64();
                let Some(expected) = value(estimate) else { continue };
                let found = value(&b["metrics"][metric]).unwrap_or(f64::NAN);
                assert!(
                    (found - expected).abs() <= 2e-3 * expected.abs().max(1e-2),
                    "{name} {metric}: {found}, CPU {expected}"
                );
            }
        }
    }
}

/// Draws are those of the CPU, and an epoch under every kind of noise adds the same to the weights, with and without fused kernels, as the
/// doctor compares them.
#[test]
fn every_noise_is_the_same_on_the_gpu() {
    let place = Place::new();
    let Some(adapter) = adapter(&place) else { return };
    for fusion in ["on", "off"] {
        let args = ["doctor", "--parity", "--noises", "--json", "--device", &adapter];
        let mut command = place.command(&args);
        let output = command.env("CUBECL_AUTOTUNE_LEVEL", "0").env("SALTFLAT_FUSION", fusion).output().unwrap();
        let findings: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(findings.len(), 1 + 13, "{}", text(&output.stderr));
        for finding in findings {
            assert_eq!(finding["verdict"], "ok", "SALTFLAT_FUSION={fusion}: {finding}");
        }
    }
}
