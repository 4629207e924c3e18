//! Networks that were exported from PyTorch: outputs, curvature and gradient noise are those that PyTorch gives for the modules in float64
//! (`scripts/reference/exported.py`, by torch.func).
#![allow(clippy::unwrap_used)]

mod support;

use std::path::{Path, PathBuf};

use burn::tensor::{DType, Device};
use safetensors::{Dtype, SafeTensors};
use saltflat_metrics::{Curvature, CurvatureOperator, Objective, Operator};
use saltflat_models::Vector;
use saltflat_train::{
    Plan,
    config::{Config, Purpose},
    load_start,
};
use serde_json::Value;
use support::{Place, text};

/// Every fixture.
const NETWORKS: [&str; 5] = ["cnn", "mobilenet", "wide_resnet", "convnext", "vit"];

fn fixture(name: &str, file: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/exported").join(name);
    folder.join(file).display().to_string()
}

fn expected(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(fixture(name, "expected.json")).unwrap()).unwrap()
}

/// The configuration of a measurement: the exported section `[model]`, and the data.
fn config(name: &str) -> String {
    let head = format!(
        "data = {{ kind = \"tensors\", path = {:?} }}\nloss = {{ kind = \"cross_entropy\" }}\noptimizer = {{ lr = 0.1, batch_size = 5 }}\n",
        fixture(name, "data.safetensors")
    );
    head + &std::fs::read_to_string(fixture(name, "model.toml")).unwrap()
}

/// A tensor of F32 or F64, row by row, and its shape.
fn tensor(path: &Path, name: &str) -> (Vec<f64>, Vec<usize>) {
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let view = file.tensor(name).unwrap();
    let numbers = match view.dtype() {
        Dtype::F32 => view.data().as_chunks().0.iter().map(|b| f32::from_le_bytes(*b).into()).collect(),
        Dtype::F64 => view.data().as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect(),
        other => panic!("{other:?}"),
    };
    (numbers, view.shape().to_vec())
}

fn is_close(found: f64, exact: f64, tolerance: f64) -> bool {
    (found - exact).abs() <= tolerance * exact.abs()
}

#[test]
fn outputs_are_pytorchs() {
    let place = Place::new();
    for name in NETWORKS {
        let (logits, shape) = tensor(Path::new(&fixture(name, "logits.safetensors")), "logits");
        let largest = logits.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
        for (precision, tolerance) in [("f64", 1e-12), ("f32", 1e-5)] {
            let [model, weights, inputs] =
                ["model.toml", "weights.safetensors", "data.safetensors"].map(|file| fixture(name, file));
            let args = ["outputs", &model, "--weights", &weights, "--inputs", &inputs, "--out", "out.safetensors"];
            let output = place.command(&[&args[..], &["--precision", precision]].concat()).output().unwrap();
            assert!(output.status.success(), "{name}: {}", text(&output.stderr));
            let (found, found_shape) = tensor(&place.path("out.safetensors"), "outputs");
            assert_eq!(found_shape, shape);
            for (i, (found, exact)) in found.iter().zip(&logits).enumerate() {
                assert!((found - exact).abs() <= tolerance * largest, "{name} {precision} {i}: {found} {exact}");
            }
        }
    }
}

/// Exact numbers within rounding; the trace and the Frobenius norm within five of their standard errors.
#[test]
fn measurements_are_torch_funcs() {
    let place = Place::new();
    for name in NETWORKS {
        let expected = expected(name);
        place.write("run.toml", config(name));
        let weights = fixture(name, "weights.safetensors");
        let args =
            ["measure", "run.toml", "--weights", &weights, "--device", "cpu", "--precision", "f64", "--json", "-"];
        let metrics = ["--metrics", "loss,trace,eigenvalues,alignment", "--alignment-samples", "all"];
        let options = ["--probes", "32", "--set", "metrics.eigenvalues.tolerance=1e-8"];
        let output = place.command(&[&args[..], &metrics, &options].concat()).output().unwrap();
        assert!(output.status.success(), "{name}: {}", text(&output.stderr));
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        for key in ["n", "p", "outputs"] {
            assert_eq!(found[key], expected[key], "{name} {key}");
        }
        let metrics = &found["metrics"];
        let exact = |key: &str| expected[key].as_f64().unwrap();
        let value =
            |key: &str| metrics[key]["value"].as_f64().unwrap_or_else(|| panic!("{name} {key}: {}", metrics[key]));
        for key in ["loss", "grad_norm"] {
            assert!(is_close(value(key), exact(key), 1e-10), "{name} {key}: {} {}", value(key), exact(key));
        }
        for key in ["trace_hessian", "hessian_frobenius"] {
            let allowed = 5.0 * metrics[key]["std_error"].as_f64().unwrap();
            assert!((value(key) - exact(key)).abs() <= allowed, "{name} {key}: {} {}", value(key), exact(key));
        }
        for (i, exact) in expected["top_eigenvalues"].as_array().unwrap().iter().enumerate() {
            let (found, exact) = (metrics["top_eigenvalues"][i]["value"].as_f64().unwrap(), exact.as_f64().unwrap());
            assert!(is_close(found, exact, 1e-7), "{name} eigenvalue {i}: {found} {exact}");
        }
        for key in ["alpha", "beta", "mu", "gram_frobenius", "noise_frobenius"] {
            assert!(is_close(value(key), exact(key), 1e-9), "{name} {key}: {} {}", value(key), exact(key));
        }
    }
}

/// The unit vectors of some coordinates.
fn units(theta: &Vector, coordinates: std::ops::Range<usize>) -> Vec<Vector> {
    let sizes: Vec<usize> = theta.parts().iter().map(|part| part.dims()[0]).collect();
    let unit = |coordinate: usize| {
        let mut start = 0;
        let parts = sizes.iter().map(|&size| {
            let here = (start..start + size).contains(&coordinate).then(|| coordinate - start);
            start += size;
            (0..size).map(|i| f32::from(u8::from(Some(i) == here))).collect::<Vec<f32>>()
        });
        Vector::from_host(parts.collect::<Vec<_>>(), &Device::flex(), DType::F64)
    };
    coordinates.map(unit).collect()
}

/// vᵀHv summed over all coordinates of a tensor is the trace of its block.
#[test]
fn exact_traces_of_every_tensor_are_torch_funcs() {
    let folder = tempfile::tempdir().unwrap();
    for name in NETWORKS {
        let expected = expected(name);
        let config = Config::read_as(&config(name), &folder.path().join("run.toml"), &[], Purpose::Measure).unwrap();
        let plan = Plan::new(config, &Device::flex(), DType::F64).unwrap();
        let (theta, buffers) = load_start(Path::new(&fixture(name, "weights.safetensors")), &plan).unwrap();
        let samples = plan.measured_samples();
        let objective = Objective::on_all(&plan.network, &buffers, plan.measured_loss(), &samples, 10);
        let hessian = CurvatureOperator::new(&objective, &theta, Curvature::Hessian).directions_per_pass(64);
        let (mut start, mut trace) = (0, 0.0);
        for spec in &plan.network.layout().parameters {
            let end = start + spec.len();
            let mut of_tensor = 0.0;
            while start < end {
                let next = end.min(start + 64);
                of_tensor += hessian.forms(&units(&theta, start..next)).unwrap().values().iter().sum::<f64>();
                start = next;
            }
            let exact = expected["trace_hessian_by_tensor"][&spec.name].as_f64().unwrap();
            let size = expected["hessian_frobenius"].as_f64().unwrap();
            assert!((of_tensor - exact).abs() <= 1e-9 * size, "{name} {}: {of_tensor} {exact}", spec.name);
            trace += of_tensor;
        }
        let exact = expected["trace_hessian"].as_f64().unwrap();
        assert!(is_close(trace, exact, 1e-9), "{name}: {trace} {exact}");
    }
}

#[test]
fn inputs_and_networks_of_outputs_that_do_not_fit() {
    let place = Place::new();
    let (model, weights) = (fixture("cnn", "model.toml"), fixture("cnn", "weights.safetensors"));
    let data = fixture("cnn", "data.safetensors");
    let run = |config: &str, weights: &str, inputs: &str, more: &[&str]| {
        let args = ["outputs", config, "--weights", weights, "--inputs", inputs, "--out", "out.safetensors"];
        let output = place.command(&[&args[..], more].concat()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
        assert!(!place.path("out.safetensors").exists());
        text(&output.stderr)
    };
    let said = run(&model, &weights, &weights, &[]);
    assert!(said.contains("expected a tensor inputs, found "), "{said}");
    let said = run("none.toml", &weights, &data, &[]);
    assert!(said.contains("none.toml"), "{said}");
    let said = run(&model, &weights, &model, &[]);
    assert!(said.contains("is not a safetensors file"), "{said}");
    let said = run(&model, &weights, &data, &["--set", "model.outputs=7"]);
    assert!(said.contains('7') && said.contains("10"), "{said}");
    let said = run(&model, &fixture("vit", "weights.safetensors"), &data, &[]);
    assert!(said.contains("conv1.weight"), "{said}");
    // A file that is read is not replaced.
    let kept = std::fs::read(&weights).unwrap();
    for path in [&weights, &data] {
        let args = ["outputs", &model, "--weights", &weights, "--inputs", &data, "--out", path];
        let output = place.command(&args).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains("--out: expected another file than"), "{}", text(&output.stderr));
    }
    assert_eq!(std::fs::read(&weights).unwrap(), kept);
    place.write("mlp.toml", "model = { kind = \"mlp\", hidden = [4] }");
    let said = run("mlp.toml", &weights, &data, &[]);
    assert!(said.contains("model.outputs is missing"), "{said}");
}
