//! λ of the run's label noise, and R with the α of its loss.

mod support;

use burn::tensor::{DType, Device};
use saltflat_train::{MeasurementPoint, Measurer, Plan, Trainer};
use serde_json::{Map, Value};
use support::read;

const LAMBDA: &str = "effective_regularization";
const PER_CURVATURE: &str = "regularization_per_curvature";

/// What is measured at the start.
fn measured(more: &[(&str, &str)]) -> Map<String, Value> {
    let base = [
        ("data", "{kind = \"mnist-1k\", limit = 40, test_limit = 10}"),
        ("optimizer.batch_size", "20"),
        ("metrics.alignment", "false"),
        ("metrics.trace", "false"),
    ];
    let config = read(&[&base, more].concat()).unwrap_or_else(|e| panic!("{more:?}: {e}"));
    let plan = Plan::new(config, &Device::flex(), DType::F64).unwrap_or_else(|e| panic!("{more:?}: {e}"));
    let (theta, buffers) = Trainer::random_start(&plan);
    let point = MeasurementPoint { theta: &theta, buffers: &buffers, update: None, step: 0 };
    Measurer::default().measure(&plan, &plan.config.metrics, point).expect("it measures").metrics
}

fn value(metrics: &Map<String, Value>, name: &str) -> f64 {
    metrics[name]["value"].as_f64().unwrap_or_else(|| panic!("{name}: {}", metrics[name]))
}

fn reason<'a>(metrics: &'a Map<String, Value>, name: &str) -> &'a str {
    metrics[name]["reason"].as_str().unwrap_or_else(|| panic!("{name}: {}", metrics[name]))
}

fn assert_close(found: f64, expected: f64) {
    assert!((found / expected - 1.0).abs() < 1e-12, "{found}, expected {expected}");
}

const FLIPS: (&str, &str) = ("noise", "{kind = \"label-flip\", probability = 0.2}");
const TWO: (&str, &str) = ("data", "{kind = \"mnist-1k\", limit = 40, test_limit = 10, classes = [3, 8]}");
const REAL: (&str, &str) = ("data", "{kind = \"mnist-1k\", limit = 40, binary = true}");
const SQUARE: (&str, &str) = ("loss.kind", "\"square\"");

/// By hand, B = 20: ηs²/(B(1−β)) on real targets; η p(1−p)/(B(1−β)) and η/(B(1−β)) for flips of two classes, where
/// `to = "uniform"` leaves p/2 of the labels wrong; the latter alone for ten classes.
#[test]
fn lambda_of_every_label_noise() {
    let lr = ("optimizer.lr", "0.03");
    let momentum = ("optimizer.momentum", "0.9");
    for (momentum, factor) in [(vec![], 1.0), (vec![momentum], 10.0)] {
        let real = ("noise", "{kind = \"label-noise\", sigma = 0.5, distribution = \"gaussian\"}");
        let found = measured(&[&[lr, REAL, SQUARE, real], &momentum[..]].concat());
        [LAMBDA, PER_CURVATURE].iter().for_each(|name| assert_close(value(&found, name), factor * 0.03 * 0.25 / 20.0));
        let uniform = ("noise", "{kind = \"label-flip\", probability = 0.4, to = \"uniform\"}");
        for noise in [FLIPS, uniform] {
            let found = measured(&[&[lr, TWO, ("model.outputs", "2"), noise], &momentum[..]].concat());
            assert_close(value(&found, LAMBDA), factor * 0.03 * 0.16 / 20.0);
            assert_close(value(&found, PER_CURVATURE), factor * 0.03 / 20.0);
        }
        let found = measured(&[&[lr, FLIPS], &momentum[..]].concat());
        assert!(reason(&found, LAMBDA).contains("two classes, not 10"));
        assert_close(value(&found, PER_CURVATURE), factor * 0.03 / 20.0);
    }
}

/// λ · R(θ, α) = λ/α · R(θ, 1), with the run's momentum; α = 1 for the square loss; no R where the Hessian is of another loss.
#[test]
fn the_regularizer_has_the_alpha_of_the_trained_loss() {
    let spectrum = ("metrics.spectrum", "{probes = 2, steps = 8, deflate = 2}");
    let small = ("optimizer.lr", "0.001");
    for (momentum, plain) in [("0", "regularizer"), ("0.5", "regularizer_momentum_0.5")] {
        let more = [spectrum, small, TWO, ("model.outputs", "2"), FLIPS, ("optimizer.momentum", momentum)];
        let found = measured(&more);
        let product = value(&found, LAMBDA) * value(&found, "regularizer_per_curvature");
        assert_close(product, value(&found, PER_CURVATURE) * value(&found, plain));
        assert_close(value(&found, "regularizer_per_curvature"), value(&found, plain) / 0.16);
        let errors =
            ["regularizer_per_curvature", plain].map(|name| found[name]["std_error"].as_f64().expect("an error"));
        assert_close(errors[0], errors[1] / 0.16);
    }
    let real = ("noise", "{kind = \"label-noise\", sigma = 0.5}");
    let found = measured(&[spectrum, small, REAL, SQUARE, real]);
    assert_eq!(found["regularizer_per_curvature"], found["regularizer"]);
    let other = ("metrics.loss", "{smoothing = 0.1}");
    let found = measured(&[spectrum, small, TWO, ("model.outputs", "2"), FLIPS, other]);
    assert!(reason(&found, "regularizer_per_curvature").contains("measured loss"));
    assert_close(value(&found, LAMBDA), 0.001 * 0.16 / 20.0);
    let found = measured(&[spectrum, small, FLIPS]);
    assert!(reason(&found, "regularizer_per_curvature").contains("two classes"));
}

#[test]
fn no_lambda_without_a_theory() {
    let smoothing = ("noise", "{kind = \"label-smoothing\", probability = 0.2}");
    let none = ("noise", "{kind = \"label-flip\", probability = 0}");
    let scaled = ("noise", "{kind = \"label-flip\", probability = 0.2, strength = 0.1}");
    let like = ("noise", "{kind = \"isotropic\", like = {kind = \"label-flip\", probability = 0.2}}");
    let momentum = ("optimizer.momentum", "0.9");
    for (more, expected) in [
        (vec![], "no label noise"),
        (vec![("noise", "{kind = \"logit-gaussian\", sigma = 0.1}")], "no label noise"),
        (vec![like], "no label noise"),
        (vec![smoothing], "label smoothing draws no labels"),
        (vec![none], "certain"),
        (vec![FLIPS, SQUARE], "square loss"),
        (vec![scaled], "noise.strength"),
        (vec![FLIPS, momentum, ("optimizer.nesterov", "true")], "optimizer.nesterov"),
        (vec![FLIPS, ("optimizer.sam", "true")], "optimizer.sam"),
    ] {
        let found = measured(&more);
        assert!(reason(&found, PER_CURVATURE).contains(expected), "{more:?}: {}", found[PER_CURVATURE]);
        assert!(found[LAMBDA]["value"].is_null(), "{more:?}: {}", found[LAMBDA]);
    }
}
