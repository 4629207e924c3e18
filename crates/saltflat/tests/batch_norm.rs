//! Batch normalisation: running statistics in training and along slices. The expected numbers are PyTorch's in float64
//! (`scripts/reference/batch_norm.py`).
#![allow(clippy::unwrap_used)]

mod support;

use std::path::PathBuf;

use safetensors::SafeTensors;
use serde_json::Value;
use support::{Place, last_checkpoint, text};

/// 600 images of 4 × 4, which the network of the fixtures sees in three stages where `model.blocks` has three entries: at the last one they
/// are 1 × 1.
const CONFIG: &str = r#"
data = { kind = "tensors", path = "DATA" }
model = { kind = "resnet", width = 4, blocks = [1], norm = "batch" }
loss = { kind = "cross_entropy" }
optimizer = { lr = 0.1, batch_size = 600 }
train = { steps = 1 }
metrics = { enabled = false }
"#;

fn fixture(name: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/batch_norm");
    folder.join(name).display().to_string()
}

fn place() -> Place {
    let place = Place::new();
    place.write("bn.toml", CONFIG.replace("DATA", &fixture("data.safetensors")));
    place
}

fn expected() -> Value {
    serde_json::from_slice(&std::fs::read(fixture("expected.json")).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    match value.as_array() {
        Some(all) => all.iter().flat_map(numbers).collect(),
        None => vec![value.as_f64().unwrap()],
    }
}

fn measure(place: &Place, args: &[&str]) -> Value {
    let all = [&["measure", "bn.toml", "--device", "cpu", "--precision", "f64", "--json", "-"], args].concat();
    let output = place.command(&all).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Along the way to other weights and over the plane of three; both choices. In f64 the two programs differ by rounding alone.
#[test]
fn losses_along_slices_are_pytorchs() {
    let (place, expected) = (place(), expected());
    let [a, b, c] = ["a", "b", "c"].map(|name| fixture(&format!("{name}.safetensors")));
    for (choice, name) in [("interpolate", "interpolated"), ("recompute", "recomputed")] {
        let batch = ["--set", "optimizer.batch_size=200", "--slice-statistics", choice, "--slice-points", "5"];
        for (kind, directions) in [("line", vec!["--slice", &b]), ("plane", vec!["--slice", &b, "--slice", &c])] {
            let found = measure(&place, &[&["--weights", &a], &directions[..], &batch].concat());
            let found = &found["metrics"]["loss_slice"];
            assert_eq!(found["steps"], expected["steps"]);
            assert_eq!(found["buffers"], name);
            let (found, exact) = (numbers(&found["loss"]), numbers(&expected[kind][name]));
            assert_eq!(found.len(), exact.len());
            for (i, (found, exact)) in found.iter().zip(&exact).enumerate() {
                assert!((found - exact).abs() < 1e-9, "{kind} {name} {i}: {found}, expected {exact}");
            }
        }
    }
}

/// With interpolated statistics both ends of a slice are what `measure` finds at those weights: PyTorch's losses in evaluation mode.
#[test]
fn both_ends_of_a_slice_are_the_losses_there() {
    let (place, expected) = (place(), expected());
    let losses = expected["loss"].as_object().unwrap();
    for (from, to) in [("a", "b"), ("b", "c"), ("c", "a")] {
        let weights = [from, to].map(|name| fixture(&format!("{name}.safetensors")));
        let slice = ["--weights", &weights[0], "--slice", &weights[1], "--slice-points", "3"];
        let slice = numbers(&measure(&place, &slice)["metrics"]["loss_slice"]["loss"]);
        for (name, weights, along) in [(from, &weights[0], slice[1]), (to, &weights[1], slice[2])] {
            let found = measure(&place, &["--weights", weights, "--metrics", "loss"]);
            let found = found["metrics"]["loss"]["value"].as_f64().unwrap();
            let exact = losses[name].as_f64().unwrap();
            assert!((found - exact).abs() < 1e-9 && (along - found).abs() < 1e-9, "{name}: {found} {along} {exact}");
        }
    }
}

/// A plane has two directions: one given twice, also by another spelling of its path, spans none.
#[test]
fn a_plane_has_two_directions() {
    let place = place();
    let [a, b] = ["a", "b"].map(|name| fixture(&format!("{name}.safetensors")));
    std::fs::copy(&b, place.path("b.safetensors")).unwrap();
    let args = [
        "measure",
        "bn.toml",
        "--weights",
        &a,
        "--device",
        "cpu",
        "--slice",
        "b.safetensors",
        "--slice",
        "./b.safetensors",
    ];
    let output = place.command(&args).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("--slice: expected two directions that differ, got b.safetensors twice"));
}

/// A direction that leads to no weights has no statistics at its end: they stay. The figure says what was done.
#[test]
fn what_the_statistics_are_is_said() {
    let place = place();
    let weights = ["--weights", &fixture("a.safetensors"), "--slice-points", "3", "--plots", "plots"];
    for (options, word) in [
        (vec!["--slice", "random"], "held"),
        (vec!["--slice", "eigenvector"], "held"),
        (vec!["--slice", "random", "--slice-statistics", "recompute"], "recomputed"),
    ] {
        let found = measure(&place, &[&weights, &options[..]].concat());
        assert_eq!(found["metrics"]["loss_slice"]["buffers"], word, "{options:?}");
        let figure = place.read("plots/loss_slice.svg");
        assert!(figure.contains(&format!("running statistics {word}")), "{figure}");
    }
    // Without batch normalisation there is nothing to say, and nothing to compute again.
    place.trained(&["tiny.toml", "--out", "run"]);
    let tiny = ["measure", "tiny.toml", "--weights", "run", "--slice", "random", "--device", "cpu", "--json", "-"];
    let output = place.command(&tiny).output().unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(found["metrics"]["loss_slice"].get("buffers").is_none(), "{found}");
    let output = place.command(&[&tiny[..], &["--slice-statistics", "recompute"]].concat()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--slice-statistics: expected interpolate"), "{}", text(&output.stderr));
}

/// The running statistics after one step on a batch of 600, more than a pass has otherwise: those of all samples, moved once, whatever else a
/// step does. The noise, its measurement and SAM's second pass see the same batch.
#[test]
fn a_step_moves_the_statistics_once_by_the_whole_batch() {
    let (place, expected) = (place(), expected());
    let init = format!("train.init=\"{}\"", fixture("a.safetensors"));
    for (i, more) in [
        vec![],
        vec!["optimizer.batch_size=\"full\""],
        vec!["optimizer.sam={rho = 0.05}"],
        vec!["noise={kind = \"label-flip\", probability = 0.2, strength = 0.1, strength_every = 1}"],
        vec!["noise={kind = \"isotropic-loss-scaled\", sigma = 0.1}"],
        vec!["noise={kind = \"minibatch\", batch_size = 32}", "optimizer.sam={rho = 0.05}"],
        vec!["noise={kind = \"label-flip\", probability = 0.2}", "metrics={noise_strength = {every_steps = 1}}"],
    ]
    .into_iter()
    .enumerate()
    {
        let run = format!("run{i}");
        let sets: Vec<&str> = more.iter().flat_map(|set| ["--set", *set]).collect();
        let output = place.trained(&[&["bn.toml", "--out", &run, "--set", &init], &sets[..]].concat());
        let note = "note: batch normalisation: a step is one pass of its 600 samples";
        assert!(text(&output.stderr).contains(note), "{}", text(&output.stderr));
        let bytes = std::fs::read(last_checkpoint(&place.path(&run))).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        for (name, exact) in expected["after_step"].as_object().unwrap() {
            let view = file.tensor(name).unwrap();
            let found = view.data().as_chunks::<4>().0.iter().map(|b| f64::from(f32::from_le_bytes(*b)));
            for (found, exact) in found.zip(numbers(exact)) {
                assert!((found - exact).abs() < 1e-5, "{more:?} {name}: {found}, expected {exact}");
            }
        }
    }
}

#[test]
fn batches_that_have_no_statistics_are_refused() {
    let place = place();
    let deep = "model.blocks=[1, 1, 1]";
    let run = |sets: &[&str], out: &str| {
        let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", *set]).collect();
        let output = place.train(&[&["bn.toml", "--out", out], &sets[..]].concat());
        (output.status.code(), text(&output.stderr))
    };
    for (sets, parts) in [
        (vec!["train.microbatch=300"], ["train.microbatch", "at least the batch of 600", "got 300"]),
        (vec!["optimizer.batch_size=1", "train.steps=3", deep], ["optimizer.batch_size", "at least 2", "got 1"]),
        (
            vec!["optimizer.batch_size=599", "train.steps=2", deep],
            ["optimizer.batch_size", "600 samples in batches of 599", "train.drop_last = true"],
        ),
    ] {
        let (code, said) = run(&sets, "refused");
        assert_eq!(code, Some(2), "{sets:?}: {said}");
        assert!(parts.iter().all(|part| said.contains(part)), "{sets:?}: {said}");
        assert!(!place.path("refused").exists());
    }
    for (i, sets) in [
        vec!["train.microbatch=600"],
        // A batch that is not made, or not left over, and one whose single image has more than one position.
        vec!["optimizer.batch_size=599", "train.steps=1", deep],
        vec!["optimizer.batch_size=599", "train.steps=2", "train.drop_last=true", deep],
        vec!["optimizer.batch_size=599", "train.steps=2", "model.blocks=[1, 1]"],
        vec!["optimizer.batch_size=598", "train.steps=2", deep],
        vec!["train.microbatch=300", "model.norm=\"group\"", "model.channels_per_group=2"],
    ]
    .iter()
    .enumerate()
    {
        let (code, said) = run(sets, &format!("taken{i}"));
        assert_eq!(code, Some(0), "{sets:?}: {said}");
    }
    let output = place.train(&["bn.toml", "--dry-run"]);
    let (found, said) = (text(&output.stdout), text(&output.stderr));
    assert!(found.contains("in a pass of 600 samples"), "{found}");
    assert!(said.contains("a step is one pass of its 600 samples"), "{said}");
    let output = place.train(&["bn.toml", "--dry-run", "--set", "train.microbatch=300"]);
    assert_eq!(output.status.code(), Some(2));
}
