//! Every metric against exact values of four tiny networks (see `golden/README.md`).
#![allow(clippy::unwrap_used)]

mod support;

use burn::tensor::{DType, Tensor, TensorData};
use rand::RngExt;
use saltflat_metrics::{
    Alignment, Estimate, NoiseStrength, alignment, evaluate, gradient, label_noise_gradient, mean_and_error, trace,
    wu_bound,
};
use saltflat_random::{Key, Stream};
use support::{Golden, all, exact_target};

fn near(case: &Golden, name: &str, value: f64, tolerance: f64) {
    let expected = case.number(name);
    let error = (value - expected).abs() / expected.abs();
    assert!(error <= tolerance, "{} {name}: {value} instead of {expected} (relative {error:.1e})", case.name);
}

/// f32: 1e-3; f64: 1e-6, the bounds that the definitions ask for.
const PRECISIONS: [(DType, f64); 2] = [(DType::F32, 1e-3), (DType::F64, 1e-6)];

#[test]
fn loss_accuracy_and_gradient() {
    for (dtype, tolerance) in PRECISIONS {
        for case in all(dtype) {
            let objective = case.objective(5);
            let evaluation = evaluate(&objective, &case.theta).unwrap();
            near(&case, "loss", evaluation.loss, tolerance);
            match evaluation.accuracy {
                Some(accuracy) => near(&case, "accuracy", accuracy, 1e-6),
                None => assert!(case.expected.get("accuracy").is_none()),
            }
            let norm = gradient(&objective, &case.theta).norm_squared().into_scalar::<f64>().sqrt();
            near(&case, "grad_norm", norm, tolerance);
        }
    }
}

#[test]
fn alignment_of_noise_and_landscape() {
    for (dtype, tolerance) in PRECISIONS {
        for case in all(dtype) {
            let found = alignment(&case.objective(5), &case.theta).unwrap();
            assert_eq!(serde_json::to_value(found.rows).unwrap(), case.expected["gram_rows"]);
            let Alignment { trace_gram, gram_frobenius, trace_noise, noise_frobenius, trace_gram_noise, .. } = &found;
            let named: [(&str, &Estimate); 11] = [
                ("trace_gram", trace_gram),
                ("gram_frobenius", gram_frobenius),
                ("trace_noise", trace_noise),
                ("noise_frobenius", noise_frobenius),
                ("trace_gram_noise", trace_gram_noise),
                ("alpha", &found.alpha),
                ("beta", &found.beta),
                ("mu", &found.mu),
                ("mu1", &found.mu1),
                ("mu2", &found.mu2),
                ("chi_min_over_mean", &found.chi_min_over_mean),
            ];
            for (name, estimate) in named {
                near(&case, name, estimate.value.unwrap(), tolerance);
            }
            let bound = wu_bound(&found.mu, case.batch_size, case.lr);
            near(&case, "wu_bound_frobenius", bound.value.unwrap(), tolerance);
        }
    }
}

/// Within 4 of their own standard errors at 2,000 probes. The error of the trace is at most what Hutchinson's estimator
/// allows, √(2/K) ‖H‖_F (its variance is 2(‖H‖_F² − Σ Hᵢᵢ²)/K; a tenth more for the error's own sampling); that of the
/// norm is under 2 %.
#[test]
fn trace_and_frobenius_norm() {
    for case in all(DType::F32) {
        let key = Key::new(1, Stream::Probe, 0);
        let found = trace(&case.objective(1000), &case.theta, 2000, key).unwrap();
        for (name, estimate) in [("trace_hessian", &found.trace), ("hessian_frobenius", &found.frobenius)] {
            within_errors(case.name, name, estimate, case.number(name), 4.0);
        }
        let ceiling = 1.1 * (2.0_f64 / 2000.0).sqrt() * case.number("hessian_frobenius");
        assert!(found.trace.std_error.unwrap() < ceiling, "{}: {:?}", case.name, found.trace);
        assert!(found.frobenius.std_error.unwrap() < 0.02 * case.number("hessian_frobenius"), "{}", case.name);
        let specs = &case.network.layout().parameters;
        assert_eq!(specs.len(), found.by_tensor.len());
        for (spec, estimate) in specs.iter().zip(&found.by_tensor) {
            // 20 tensors in a case: 5 errors keep the chance of one false alarm below 1e-4.
            let expected = case.expected["trace_hessian_by_tensor"][&spec.name].as_f64().unwrap();
            within_errors(case.name, &spec.name, estimate, expected, 5.0);
        }
        let sum: f64 = found.by_tensor.iter().map(|e| e.value.unwrap()).sum();
        assert!((sum / found.trace.value.unwrap() - 1.0).abs() < 1e-9);
    }
}

fn within_errors(case: &str, name: &str, estimate: &Estimate, expected: f64, errors: f64) {
    let (value, error) = (estimate.value.unwrap(), estimate.std_error.unwrap());
    // Beside sampling, f32 rounding: 1e-5 of the value.
    let allowed = errors * error + 1e-5 * expected.abs() + 1e-9;
    assert!((value - expected).abs() <= allowed, "{case} {name}: {value} ± {error}, exact {expected}");
}

/// The standard errors themselves: over 50 repetitions the spread of the estimates is what each says of itself. The ratio
/// of two variance estimates with 49 degrees of freedom lies in [0.5, 1.7] with probability above 0.999.
#[test]
fn standard_errors_are_right() {
    for case in all(DType::F32).into_iter().take(2) {
        let objective = case.objective(1000);
        let runs: Vec<_> =
            (0..50).map(|i| trace(&objective, &case.theta, 20, Key::new(2, Stream::Probe, i)).unwrap()).collect();
        for (name, pick) in [
            ("trace_hessian", (|run| &run.trace) as fn(&saltflat_metrics::TraceEstimate) -> &Estimate),
            ("hessian_frobenius", |run| &run.frobenius),
        ] {
            let values: Vec<f64> = runs.iter().map(|run| pick(run).value.unwrap()).collect();
            let claimed = runs.iter().map(|run| pick(run).std_error.unwrap().powi(2)).sum::<f64>() / 50.0;
            let (mean, error) = mean_and_error(&values);
            let seen = error.unwrap().powi(2) * 50.0;
            let ratio = seen / claimed;
            assert!((0.5..1.7).contains(&ratio), "{} {name}: variance {seen:e}, claimed {claimed:e}", case.name);
            assert!(
                (mean - case.number(name)).abs() < 5.0 * error.unwrap() + 0.02 * mean.abs(),
                "{}: {mean}",
                case.name
            );
        }
    }
}

/// ‖∇L̂ − ∇L̄‖² over drawn flips of all n labels has the mean flip_noise_sq, and n times it is trace_from_noise.
#[test]
fn strength_of_label_flips() {
    for case in all(DType::F32).into_iter().filter(|case| case.loss.smoothing > 0.0) {
        let (n, classes, p) = (case.labels.len(), case.network.outputs(), case.loss.smoothing);
        let mut rng = Key::new(3, Stream::LabelNoise, 0).rng();
        let mut strength = NoiseStrength::default();
        for _ in 0..2000 {
            let drawn: Vec<f64> = case
                .labels
                .iter()
                .flat_map(|&label| {
                    let flip = rng.random_bool(p);
                    let shift = rng.random_range(1..classes as u32);
                    let label = if flip { (label + shift) % classes as u32 } else { label };
                    exact_target(saltflat_models::Loss { smoothing: 0.0, ..case.loss }, label, classes)
                })
                .collect();
            let inputs = case.samples.inputs.clone();
            let expected = case.samples.targets.clone();
            let drawn = Tensor::from_data(TensorData::new(drawn, [n, classes]), (&inputs.device(), DType::F32));
            let noise = label_noise_gradient(&case.network, &case.theta, &case.buffers, inputs, expected, drawn);
            strength.record(&noise, n);
        }
        let estimate = strength.take().unwrap();
        within_errors(case.name, "trace_from_noise", &estimate, case.number("trace_from_noise"), 4.0);
        assert!(estimate.std_error.unwrap() < 0.03 * case.number("trace_from_noise"));
    }
}
