//! `saltflat measure` on the test split, by tensor, with weight decay, and its files of vectors.
#![allow(clippy::unwrap_used)]

mod support;

use std::{fs, path::PathBuf};

use safetensors::SafeTensors;
use serde_json::Value;
use support::{Place, text};

fn run(place: &Place, args: &[&str]) -> std::process::Output {
    place.command(&[&["measure"], args, &["--device", "cpu"]].concat()).output().unwrap()
}

fn measure(place: &Place, args: &[&str]) -> Value {
    let output = run(place, &[args, &["--json", "-"]].concat());
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn refused(place: &Place, args: &[&str], parts: &[&str]) {
    let output = run(place, args);
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {message}");
    for part in parts {
        assert!(message.contains(part), "{args:?}: no {part:?} in:\n{message}");
    }
}

/// The JSON and the table say on which samples; bounds of the training are not set beside numbers of the test loss.
#[test]
fn on_the_test_split() {
    let place = Place::new();
    place.trained(&["tiny.toml", "--out", "run"]);
    let base = ["tiny.toml", "--weights", "run", "--metrics", "trace,eigenvalues,alignment,stability,spectrum"];
    let test = [&base[..], &["--split", "test"]].concat();
    let (of_train, of_test) = (measure(&place, &base), measure(&place, &test));
    assert_eq!((&of_train["split"], &of_test["split"]), (&"train".into(), &"test".into()));
    assert_eq!((&of_train["n"], &of_test["n"]), (&100.into(), &50.into()));
    assert_eq!(of_test["training_samples"], 100);
    assert!(of_train["measured_loss"].get("split").is_none() && of_test["measured_loss"]["split"] == "test");
    let value = |found: &Value, name: &str| found["metrics"][name]["value"].as_f64();
    for name in ["trace_hessian", "min_eigenvalue", "mu", "coherence", "gram_top_eigenvalue"] {
        assert!(value(&of_test, name).is_some() && value(&of_test, name) != value(&of_train, name), "{name}");
    }
    for name in ["wu_bound_frobenius", "sgd_growth", "regularizer", "regularizer_momentum_0.9", "gd_critical_lr"] {
        let reason = of_test["metrics"][name]["reason"].as_str().unwrap();
        assert!(value(&of_train, name).is_some() && reason.contains("of the training steps"), "{name}: {reason}");
    }
    // In the configuration it is the same.
    assert_eq!(measure(&place, &[&base[..], &["--set", "metrics.split=test"]].concat())["metrics"], of_test["metrics"]);
    let output = run(&place, &test);
    let (table, talk) = (text(&output.stdout), text(&output.stderr));
    assert!(talk.contains("50 of 50 test samples"), "{talk}");
    assert!(table.lines().next().unwrap().ends_with("on the test samples"), "{table}");
    for bound in ["2(1+momentum)/lr", "lr = ", "stable below", "unstable above"] {
        assert!(!table.contains(bound), "{bound} in\n{table}");
    }
    let with = |args: &[&'static str], parts: &[&str]| {
        refused(&place, &[&["tiny.toml", "--weights", "run", "--split", "test"], args].concat(), parts);
    };
    with(&["--metrics", "mu,sgd_growth"], &["--metrics: sgd_growth is of the training steps", "--split train"]);
    with(&["--samples", "51"], &["--samples", "at most 50, the number of test samples"]);
    with(&["--set", "data.test_limit=0"], &["data.test_limit"]);
    with(&["--slice", "random", "--slice-statistics", "recompute"], &["--slice-statistics", "on test samples"]);
    refused(&place, &["tiny.toml", "--weights", "run", "--split", "tests"], &["metrics.split", "did you mean test?"]);
    // The products pass their checks there, too, and a slice is of the test loss.
    let checked = run(&place, &["tiny.toml", "--weights", "run", "--split", "test", "--check"]);
    assert!(checked.status.success(), "{}", text(&checked.stdout));
    let slice = ["tiny.toml", "--weights", "run", "--slice", "random", "--slice-points", "3", "--metrics", "test_loss"];
    let found = measure(&place, &[&slice[..], &["--split", "test"]].concat());
    let at_weights = found["metrics"]["loss_slice"]["loss"][1].as_f64().unwrap();
    assert!((at_weights / value(&found, "test_loss").unwrap() - 1.0).abs() < 1e-5, "{at_weights}");
}

/// Values of a full Hessian by tensor (`scripts/reference/curvature.py`) through the command line, in JSON and in the table.
#[test]
fn by_tensor_and_the_squared_diagonal() {
    let place = Place::new();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../saltflat-metrics/tests/golden");
    let golden = |name: &str| folder.join(format!("mlp_tanh_two_classes.{name}")).display().to_string();
    let expected: Value = serde_json::from_slice(&fs::read(golden("curvature.json")).unwrap()).unwrap();
    let (config, weights) = (golden("toml"), golden("weights.safetensors"));
    let base = [config.as_str(), "--weights", &weights, "--precision", "f64", "--probes", "200"];
    let names =
        ["--metrics", "hessian_diagonal_sq,top_eigenvalue_by_tensor", "--set", "metrics.eigenvalues.tolerance=1e-8"];
    let found = measure(&place, &[&base[..], &names].concat());
    for (tensor, exact) in expected["top_eigenvalue_by_tensor"].as_object().unwrap() {
        let found = &found["metrics"]["top_eigenvalue_by_tensor"][tensor];
        let difference = found["value"].as_f64().unwrap() - exact.as_f64().unwrap();
        assert!(difference.abs() < 1e-7 && found["converged"] == true, "{tensor}: {found}, expected {exact}");
    }
    let sum = &found["metrics"]["hessian_diagonal_sq"];
    let (value, error) = (sum["value"].as_f64().unwrap(), sum["std_error"].as_f64().unwrap());
    let exact = expected["diagonal_sq"].as_f64().unwrap();
    assert!((value - exact).abs() < 4.0 * error && sum["probes"] == 200, "{sum}, expected {exact}");
    // Both maps have a heading in the table.
    let names = ["--metrics", "trace_hessian_by_tensor,top_eigenvalue_by_tensor"];
    let table = text(&run(&place, &[&base[..], &names].concat()).stdout);
    let lines: Vec<&str> = table.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    for heading in ["trace_hessian_by_tensor", "top_eigenvalue_by_tensor"] {
        let place =
            lines.iter().position(|line| *line == heading).unwrap_or_else(|| panic!("no {heading} in\n{table}"));
        assert_eq!(
            lines[place + 1..place + 5],
            ["layers.0.bias", "layers.0.weight", "layers.1.bias", "layers.1.weight"]
        );
    }
    // With a weight decay that is asked for every eigenvalue of every block is larger by it.
    let decay = ["--set", "optimizer.weight_decay=0.25", "--set", "metrics.loss.weight_decay=true"];
    let names = ["--metrics", "top_eigenvalue_by_tensor", "--set", "metrics.eigenvalues.tolerance=1e-8"];
    let decayed = measure(&place, &[&base[..], &names, &decay].concat());
    assert_eq!(decayed["measured_loss"]["weight_decay"], 0.25);
    for (tensor, exact) in expected["top_eigenvalue_by_tensor"].as_object().unwrap() {
        let found = decayed["metrics"]["top_eigenvalue_by_tensor"][tensor]["value"].as_f64().unwrap();
        assert!((found - exact.as_f64().unwrap() - 0.25).abs() < 1e-7, "{tensor}: {found}");
    }
}

/// `--vectors` writes what the metrics have; it changes no number.
#[test]
fn files_of_vectors() {
    let place = Place::new();
    place.trained(&["tiny.toml", "--out", "run"]);
    let base = ["tiny.toml", "--weights", "run", "--metrics"];
    let plain = measure(&place, &[&base[..], &["trace,eigenvalues"]].concat());
    let found = measure(&place, &[&base[..], &["trace,eigenvalues", "--vectors", "a/b"]].concat());
    for name in ["trace_hessian", "hessian_frobenius", "trace_hessian_by_tensor", "top_eigenvalues", "min_eigenvalue"] {
        assert_eq!(found["metrics"][name], plain["metrics"][name], "{name}");
    }
    assert!(
        found["metrics"]["hessian_diagonal_sq"]["value"].is_f64()
            && plain["metrics"].get("hessian_diagonal_sq").is_none()
    );
    let read = |name: &str| fs::read(place.path(name)).unwrap();
    let (diagonal, errors, vectors) = (
        read("a/b/diagonal.safetensors"),
        read("a/b/diagonal_std_error.safetensors"),
        read("a/b/eigenvectors.safetensors"),
    );
    let [diagonal, errors, vectors] =
        [&diagonal, &errors, &vectors].map(|bytes| SafeTensors::deserialize(bytes).unwrap());
    let weights = place.weights("run");
    let weights = SafeTensors::deserialize(&weights).unwrap();
    for (name, tensor) in weights.iter() {
        let shape = |file: &SafeTensors<'_>, name: &str| file.tensor(name).unwrap().shape().to_vec();
        assert_eq!(shape(&diagonal, name), tensor.shape());
        assert_eq!(shape(&errors, name), tensor.shape());
        for k in 0..5 {
            assert_eq!(shape(&vectors, &format!("{k}.{name}")), tensor.shape());
        }
    }
    assert_eq!((diagonal.len(), vectors.len()), (weights.len(), 5 * weights.len()));
    // Some of them only.
    measure(&place, &[&base[..], &["eigenvalues", "--vectors", "only"]].concat());
    assert!(place.path("only/eigenvectors.safetensors").exists() && !place.path("only/diagonal.safetensors").exists());
    let xtrace = ["trace", "--set", "metrics.trace.method=xtrace", "--vectors", "none"];
    for args in [&["alignment", "--vectors", "none"][..], &xtrace] {
        refused(&place, &[&base[..], args].concat(), &["--vectors", "expected trace (by hutchinson) or eigenvalues"]);
    }
    assert!(!place.path("none").exists());
    let output = run(&place, &[&base[..], &["trace", "--vectors", "tiny.toml"]].concat());
    assert!(
        !output.status.success() && text(&output.stderr).contains("--vectors tiny.toml"),
        "{}",
        text(&output.stderr)
    );
}
