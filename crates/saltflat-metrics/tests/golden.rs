//! Every metric against exact values of five tiny networks (see `golden/README.md`).
#![allow(clippy::unwrap_used)]

mod support;

use burn::tensor::DType;
use rand::RngExt;
use saltflat_metrics::{
    Alignment, Curvature, CurvatureOperator, Estimate, LanczosOptions, NoiseStrength, Outputs, Pairs, SpectrumOptions,
    TraceEstimate, TraceMethod, TraceOptions, evaluate, expected_label_noise, gradient, lanczos, mean_and_error,
    regularizer, spectrum,
    stability::{coherence, dexter_divergence_bound, gram_eigenvalues},
    trace, wu_bound, wu_bound_mu1, wu_growth_bound,
};
use saltflat_models::Vector;
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
            let norm = gradient(&objective, &case.theta).unwrap().norm_squared().into_scalar::<f64>().sqrt();
            near(&case, "grad_norm", norm, tolerance);
        }
    }
}

fn pairs(case: &Golden, outputs: Outputs) -> Pairs {
    Pairs::measure(&case.objective(1000), &case.theta, outputs, usize::MAX, Key::new(1, Stream::OutputSigns, 0))
        .unwrap()
        .into_result()
        .unwrap()
}

#[test]
fn alignment_of_noise_and_landscape() {
    for (dtype, tolerance) in PRECISIONS {
        for case in all(dtype) {
            let pairs = pairs(&case, Outputs::Exact);
            let found = Alignment::new(&pairs);
            assert_eq!(serde_json::to_value(found.rows).unwrap(), case.expected["gram_rows"]);
            for (name, estimate) in [
                ("trace_gram", &found.trace_gram),
                ("gram_frobenius", &found.gram_frobenius),
                ("trace_noise", &found.trace_noise),
                ("noise_frobenius", &found.noise_frobenius),
                ("trace_gram_noise", &found.trace_gram_noise),
                ("alpha", &found.alpha),
                ("beta", &found.beta),
                ("mu", &found.mu),
                ("mu1", &found.mu1),
                ("mu2", &found.mu2),
                ("chi_min_over_mean", &found.chi_min_over_mean),
            ] {
                near(&case, name, estimate.value.unwrap(), tolerance);
            }
            // The golden value is the paper's √(B/μ)/η, that of infinitely many samples.
            let (n, b) = (pairs.samples() as f64, case.batch_size as f64);
            let bound = wu_bound(&found.mu, pairs.samples(), case.batch_size, case.lr);
            near(&case, "wu_bound_frobenius", bound.value.unwrap() * ((n - b) / (n - 1.0)).sqrt(), tolerance);
            let growth = wu_growth_bound(&found, pairs.samples(), case.batch_size, case.lr);
            near(&case, "wu_growth_bound", growth.value.unwrap(), tolerance);
            if case.expected.get("wu_bound_frobenius_mu1").is_some() {
                let bound = wu_bound_mu1(&found.mu1, pairs.samples(), case.batch_size, case.lr, 0.0);
                near(&case, "wu_bound_frobenius_mu1", bound.value.unwrap(), tolerance);
            }
            if case.expected.get("flip_noise_sq").is_some() {
                let found = expected_label_noise(&pairs, pairs.samples());
                near(&case, "flip_noise_sq", found.flip_noise_sq.value.unwrap(), tolerance);
                // The golden files' name for the closed form.
                near(&case, "trace_from_noise", found.trace_from_noise_expected.value.unwrap(), tolerance);
            }
        }
    }
}

#[test]
fn coherence_and_its_bound() {
    for (dtype, tolerance) in PRECISIONS {
        for case in all(dtype) {
            let gram = pairs(&case, Outputs::Exact).row_gram().unwrap();
            let sigma = coherence(&gram).unwrap().sigma;
            near(&case, "coherence", sigma, tolerance);
            near(&case, "gram_top_eigenvalue", gram_eigenvalues(&gram).unwrap()[0], tolerance);
            let bound = dexter_divergence_bound(sigma, gram.samples, case.batch_size, case.lr).unwrap();
            near(&case, "dexter_bound", bound, tolerance);
        }
    }
}

/// Random sums of the outputs in place of all of them: unbiased for what is linear in them. 40 draws of 3 sums; the mean
/// within 4 of its standard errors.
#[test]
fn random_sums_of_outputs_estimate_the_exact_alignment() {
    for case in all(DType::F32).into_iter().filter(|case| case.network.outputs() > 1) {
        let objective = case.objective(1000);
        let mut found: Vec<Vec<f64>> = vec![Vec::new(); 3];
        for i in 0..40 {
            let key = Key::new(4, Stream::OutputSigns, i);
            let pairs = Pairs::measure(&objective, &case.theta, Outputs::RandomSums(3), usize::MAX, key)
                .unwrap()
                .into_result()
                .unwrap();
            let Alignment { trace_gram, gram_frobenius, trace_gram_noise, .. } = Alignment::new(&pairs);
            found[0].push(trace_gram.value.unwrap());
            found[1].push(gram_frobenius.value.unwrap().powi(2));
            found[2].push(trace_gram_noise.value.unwrap());
        }
        let exact = [case.number("trace_gram"), case.number("gram_frobenius").powi(2), case.number("trace_gram_noise")];
        for (values, exact) in found.iter().zip(exact) {
            let (mean, error) = mean_and_error(values);
            assert!(
                (mean - exact).abs() < 4.0 * error.unwrap() + 1e-4 * exact,
                "{}: {mean} ± {error:?}, {exact}",
                case.name
            );
        }
    }
}

/// Both ends of the spectrum, in f32 and f64.
#[test]
fn eigenvalues_at_both_ends() {
    for (dtype, tolerance) in PRECISIONS {
        for case in all(dtype) {
            let objective = case.objective(5);
            let operator = CurvatureOperator::new(&objective, &case.theta, Curvature::Hessian);
            // Two of the top five lie within 1 % of each other in one case: the residual must be well below that.
            let options = LanczosOptions { tolerance: 1e-5, ..LanczosOptions::default() };
            let found = lanczos(&operator, &options, &[], Key::new(1, Stream::Eigenvalue, 0)).unwrap();
            let exact = case.expected["top_eigenvalues"].as_array().unwrap();
            assert_eq!(found.largest.len(), exact.len());
            let named = found.largest.iter().zip(exact).chain([(&found.smallest[0], &case.expected["min_eigenvalue"])]);
            for (eigenvalue, exact) in named {
                let exact = exact.as_f64().unwrap();
                assert!(eigenvalue.converged, "{}: {eigenvalue:?}", case.name);
                let error = (eigenvalue.value - exact).abs() / exact.abs();
                // mlp_relu_square's own targets were rounded: 4e-9 there.
                assert!(error <= tolerance, "{}: {eigenvalue:?}, exact {exact}", case.name);
            }
        }
    }
}

/// R(θ) with the five largest eigenvalues taken out, and its momentum form: within 4 standard errors at 40 probes of 40
/// steps. The error is at most what Hutchinson's estimator has for a matrix of this Frobenius norm, √(2/K) ‖f(H)‖_F, and
/// ‖f(H)‖_F ≤ ‖H‖_F/4 · 1/(1 − ηλ₁/2).
#[test]
fn implicit_regularizer() {
    for case in all(DType::F32) {
        let objective = case.objective(1000);
        let operator = CurvatureOperator::new(&objective, &case.theta, Curvature::Hessian);
        let key = Key::new(1, Stream::Eigenvalue, 0);
        let top = lanczos(&operator, &LanczosOptions { smallest: 0, ..LanczosOptions::default() }, &[], key).unwrap();
        let deflated: Vec<(f64, Vector)> =
            top.largest.iter().map(|eigenvalue| eigenvalue.value).zip(top.largest_vectors).collect();
        let options = SpectrumOptions { probes: 40, steps: 40, memory: usize::MAX };
        let found = spectrum(&operator, &options, &deflated, Key::new(1, Stream::Spectrum, 0)).unwrap();
        let largest = case.expected["top_eigenvalues"][0].as_f64().unwrap();
        for (name, momentum) in [("regularizer", 0.0), ("regularizer_momentum_0.9", 0.9)] {
            let estimate = regularizer(&found, largest, case.lr, momentum).value;
            within_errors(case.name, name, &estimate, case.number(name), 4.0);
            let factor = 0.25 / (1.0 - case.lr * largest / (2.0 * (1.0 + momentum)));
            let ceiling = 1.2 * (2.0_f64 / 40.0).sqrt() * factor * case.number("hessian_frobenius");
            assert!(estimate.std_error.unwrap() < ceiling, "{} {name}: {estimate:?}, {ceiling}", case.name);
        }
    }
}

/// tr GGN by forward mode and by products; the two are one number for the same probes.
#[test]
fn trace_of_the_gauss_newton_matrix() {
    for case in all(DType::F64) {
        let objective = case.objective(1000);
        let operator = CurvatureOperator::new(&objective, &case.theta, Curvature::GaussNewton);
        let key = Key::new(1, Stream::Probe, 0);
        let by_forms = TraceOptions { frobenius: false, ..TraceOptions::hutchinson(400) };
        let forms = trace(&operator, &by_forms, key).unwrap().trace;
        within_errors(case.name, "trace_ggn", &forms, case.number("trace_ggn"), 4.0);
        let products = trace(&operator, &TraceOptions::hutchinson(400), key).unwrap();
        let (a, b) = (forms.value.unwrap(), products.trace.value.unwrap());
        assert!((a - b).abs() < 1e-9 * a.abs(), "{}: {a} {b}", case.name);
        if case.expected["gram_rows"] == "ggn" {
            within_errors(case.name, "gram_frobenius", &products.frobenius, case.number("gram_frobenius"), 4.0);
        }
    }
}

fn hessian_trace(case: &Golden, options: TraceOptions, key: Key) -> TraceEstimate {
    let objective = case.objective(1000);
    trace(&CurvatureOperator::new(&objective, &case.theta, Curvature::Hessian), &options, key).unwrap()
}

/// Every way to the trace and the norm within 4 of its own standard errors; the sketches with an error under 2 % at 2,000
/// products in the cases of p < 2,000, whose whole range they hold.
#[test]
fn every_estimator_of_the_trace() {
    for case in all(DType::F32) {
        let small = case.theta.len() < 2000;
        let probes = if small { 2000 } else { 300 };
        for method in [TraceMethod::HutchPlusPlus, TraceMethod::XTrace] {
            let options = TraceOptions { method, ..TraceOptions::hutchinson(probes) };
            let found = hessian_trace(&case, options, Key::new(1, Stream::Probe, 1));
            for (name, estimate) in [("trace_hessian", &found.trace), ("hessian_frobenius", &found.frobenius)] {
                let exact = case.number(name);
                within_errors(case.name, name, estimate, exact, 4.0);
                assert!(!small || estimate.std_error.unwrap() < 0.02 * exact, "{} {method:?}: {estimate:?}", case.name);
            }
        }
    }
}

/// vᵀHv without a backward pass is v·Hv, in any number of directions at once and any microbatch.
#[test]
fn quadratic_forms_are_products() {
    for case in all(DType::F64) {
        let key = Key::new(1, Stream::Probe, 2);
        let by_products = hessian_trace(&case, TraceOptions::hutchinson(6), key).trace;
        for (microbatch, together) in [(1000, 1), (1000, 6), (3, 4)] {
            let objective = case.objective(microbatch);
            let operator =
                CurvatureOperator::new(&objective, &case.theta, Curvature::Hessian).directions_per_pass(together);
            let options = TraceOptions { frobenius: false, ..TraceOptions::hutchinson(6) };
            let found = trace(&operator, &options, key).unwrap().trace;
            let (a, b) = (found.value.unwrap(), by_products.value.unwrap());
            assert!((a - b).abs() < 1e-10 * case.number("hessian_frobenius"), "{}: {a} {b}", case.name);
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
        let found = hessian_trace(&case, TraceOptions::hutchinson(2000), key);
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
        let run = |i| hessian_trace(&case, TraceOptions::hutchinson(20), Key::new(2, Stream::Probe, i));
        let runs: Vec<_> = (0..50).map(run).collect();
        for (name, pick) in [
            ("trace_hessian", (|run| &run.trace) as fn(&TraceEstimate) -> &Estimate),
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
            let drawn = drawn.into_iter().map(|q| q as f32).collect();
            let noise =
                support::label_noise(&case.samples, &case.network, &case.loss, &case.theta, &case.buffers, drawn);
            strength.record(&noise, n as f64);
        }
        let estimate = strength.take().unwrap();
        within_errors(case.name, "trace_from_noise", &estimate, case.number("trace_from_noise"), 4.0);
        assert!(estimate.std_error.unwrap() < 0.03 * case.number("trace_from_noise"));
    }
}
