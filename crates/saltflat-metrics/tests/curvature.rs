//! Diagonal, blocks and eigenvectors of the Hessian, weight decay and PyTorch's label smoothing, against full Hessians in float64
//! (`scripts/reference/curvature.py`).
#![allow(clippy::unwrap_used)]

mod support;

use std::{fs, path::PathBuf};

use burn::tensor::{DType, Device, Tensor, TensorData};
use nalgebra::{DMatrix, DVector};
use saltflat_metrics::{
    Curvature, CurvatureOperator, DiagonalBlock, Estimate, LanczosOptions, Objective, Operator, TensorSamples,
    TraceMethod, TraceOptions, evaluate, gradient, lanczos, mean_and_error, norm, trace,
};
use saltflat_models::{Loss, Vector};
use saltflat_random::{Key, Stream};
use serde_json::Value;
use support::{Golden, all, dense::Dense, exact_target, regression::host};

/// The golden cases that have such a file, with it.
fn cases() -> Vec<(Golden, Value)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let named = all(DType::F64).into_iter().filter_map(|case| {
        let text = fs::read(folder.join(format!("{}.curvature.json", case.name))).ok()?;
        Some((case, serde_json::from_slice(&text).unwrap()))
    });
    let found: Vec<_> = named.collect();
    assert_eq!(found.len(), 2);
    found
}

/// Numbers by tensor, one after the other in the layout's order.
fn flat(case: &Golden, by_tensor: &Value) -> DVector<f64> {
    let of = |name: &str| by_tensor[name].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect::<Vec<_>>();
    DVector::from_vec(case.network.layout().parameters.iter().flat_map(|spec| of(&spec.name)).collect())
}

fn diagonal_options(probes: usize) -> TraceOptions {
    TraceOptions { diagonal: true, ..TraceOptions::hutchinson(probes) }
}

/// 400 probes: every entry within 5 of its standard errors (573 of them: a false alarm has a chance of 4e-4), which are right on average:
/// the root mean square of the deviations in errors is within a fifth of 1, and m Σ se² is the sum of the squares off the diagonal, the
/// variance of a probe. Σ Hᵢᵢ² within 4 errors. The trace has the same bits with and without.
#[test]
fn diagonals_of_networks() {
    for (case, expected) in cases() {
        let objective = case.objective(7);
        let operator = CurvatureOperator::new(&objective, &case.theta, Curvature::Hessian);
        let key = Key::new(3, Stream::Probe, 0);
        let found = trace(&operator, &diagonal_options(400), key).unwrap();
        assert_eq!(operator.products(), 400);
        let plain = trace(&operator, &TraceOptions::hutchinson(400), key).unwrap();
        assert_eq!(
            (&found.trace, &found.frobenius, &found.by_tensor),
            (&plain.trace, &plain.frobenius, &plain.by_tensor)
        );
        assert!(plain.diagonal.is_none());
        let diagonal = found.diagonal.unwrap();
        let (values, errors) = (host(&diagonal.values), host(diagonal.std_errors.as_ref().unwrap()));
        let exact = flat(&case, &expected["diagonal"]);
        assert_eq!((values.len(), errors.len(), diagonal.probes), (exact.len(), exact.len(), 400));
        let deviations: Vec<f64> = (0..exact.len()).map(|i| (values[i] - exact[i]) / errors[i]).collect();
        assert!(deviations.iter().all(|z| z.abs() < 5.0), "{}: {deviations:?}", case.name);
        let size = (deviations.iter().map(|z| z * z).sum::<f64>() / deviations.len() as f64).sqrt();
        assert!((0.8..1.2).contains(&size), "{}: {size}", case.name);
        let ratio = 400.0 * errors.norm_squared() / expected["off_diagonal_sq"].as_f64().unwrap();
        assert!((0.85..1.15).contains(&ratio), "{}: {ratio}", case.name);
        assert!((values.sum() - found.trace.value.unwrap()).abs() < 1e-10);
        within(&case, &diagonal.sum_of_squares, expected["diagonal_sq"].as_f64().unwrap());
        // The square of the mean is too large by the variance of the mean.
        let naive = values.norm_squared() - errors.norm_squared();
        assert!((naive - diagonal.sum_of_squares.value.unwrap()).abs() < 1e-10 * values.norm_squared(), "{naive}");
    }
}

fn within(case: &Golden, estimate: &Estimate, exact: f64) {
    let (value, error) = (estimate.value.unwrap(), estimate.std_error.unwrap());
    assert!((value - exact).abs() < 4.0 * error, "{}: {value} ± {error}, exact {exact}", case.name);
}

/// Σ Aᵢᵢ² of a matrix with 20 rows and large entries off the diagonal, from 200 draws of m probes: unbiased within 4 errors of the mean, and
/// the claimed variance within a factor of what is seen. The jackknife's is too large for few groups (twice, where no entry of the diagonal
/// matters), and m = 100 has groups of several probes.
#[test]
fn squared_diagonals_are_unbiased_and_their_errors_right() {
    let eigenvalues: Vec<f64> = (1..=20).map(|i| if i % 2 == 0 { -1.0 } else { 3.0 } / f64::from(i)).collect();
    let operator = Dense::with_spectrum(&eigenvalues, 5, DType::F64);
    let exact = operator.matrix.diagonal().norm_squared();
    for (probes, most) in [(6, 4.0), (30, 2.5), (100, 2.0)] {
        let draws = (0..200).map(|i| {
            let found = trace(&operator, &diagonal_options(probes), Key::new(11, Stream::Probe, i)).unwrap();
            let sum = found.diagonal.unwrap().sum_of_squares;
            (sum.value.unwrap(), sum.std_error.unwrap().powi(2))
        });
        let (values, variances): (Vec<f64>, Vec<f64>) = draws.unzip();
        let (mean, error) = mean_and_error(&values);
        assert!((mean - exact).abs() < 4.0 * error.unwrap(), "{probes}: {mean} ± {error:?}, exact {exact}");
        let seen = error.unwrap().powi(2) * 200.0;
        let ratio = variances.iter().sum::<f64>() / 200.0 / seen;
        assert!((0.6..most).contains(&ratio), "{probes} probes: claimed over seen variance {ratio}");
    }
}

/// Of a diagonal matrix one probe tells everything; of one probe there is no error and no pair, and other estimators have no diagonal.
#[test]
fn exact_diagonals_and_what_is_absent() {
    for dtype in [DType::F32, DType::F64] {
        let entries = DVector::from_fn(12, |i, _| i as f64 - 3.0);
        let operator = Dense::new(DMatrix::from_diagonal(&entries), dtype);
        let key = Key::new(1, Stream::Probe, 0);
        let of = |options| trace(&operator, &options, key).unwrap().diagonal;
        let found = of(diagonal_options(40)).unwrap();
        assert_eq!((host(&found.values), host(&found.std_errors.unwrap()).norm()), (entries.clone(), 0.0));
        let sum = found.sum_of_squares;
        // Σ (i − 3)² over 0 ≤ i < 12 = 9 + 4 + 1 + Σ_{i ≤ 8} i² = 14 + 204.
        assert!((sum.value.unwrap() - 218.0).abs() < 1e-4 && sum.std_error.unwrap() < 1e-4, "{sum:?}");
        let one = of(diagonal_options(1)).unwrap();
        assert_eq!(host(&one.values), entries);
        assert!(one.std_errors.is_none() && one.sum_of_squares.reason.unwrap().contains("at least 2 probes"));
        let two = of(diagonal_options(2)).unwrap().sum_of_squares;
        assert!(two.value.is_some() && two.std_error.is_none());
        for method in [TraceMethod::HutchPlusPlus, TraceMethod::XTrace] {
            assert!(of(TraceOptions { method, ..diagonal_options(12) }).is_none());
        }
        // Without the Frobenius norm products are made all the same.
        let found = trace(&operator, &TraceOptions { frobenius: false, ..diagonal_options(4) }, key).unwrap();
        assert_eq!(host(&found.diagonal.unwrap().values), entries);
    }
}

/// λ₁ of each tensor's block, and the leading eigenvectors up to their sign, with residuals that are what they say.
#[test]
fn blocks_and_eigenvectors() {
    for (case, expected) in cases() {
        let objective = case.objective(1000);
        let operator = CurvatureOperator::new(&objective, &case.theta, Curvature::Hessian);
        let options = LanczosOptions { largest: 1, smallest: 0, tolerance: 1e-9, ..LanczosOptions::default() };
        let specs = &case.network.layout().parameters;
        let blocks = DiagonalBlock::all(&operator);
        assert_eq!(blocks.len(), specs.len());
        for (block, spec) in blocks.iter().zip(specs) {
            assert_eq!(block.space().len(), spec.len());
            let found = lanczos(block, &options, &[], Key::new(1, Stream::Eigenvalue, 0)).unwrap();
            let exact = expected["top_eigenvalue_by_tensor"][&spec.name].as_f64().unwrap();
            assert!((found.largest[0].value - exact).abs() < 1e-8, "{} {}: {found:?}", case.name, spec.name);
        }
        let options = LanczosOptions { largest: 3, ..options };
        let found = lanczos(&operator, &options, &[], Key::new(1, Stream::Eigenvalue, 0)).unwrap();
        for (k, (eigenvalue, vector)) in found.largest.iter().zip(&found.largest_vectors).enumerate() {
            let exact = expected["eigenvalues"][k].as_f64().unwrap();
            assert!((eigenvalue.value - exact).abs() < 1e-8, "{}: {eigenvalue:?}, {exact}", case.name);
            assert!((norm(vector).unwrap() - 1.0).abs() < 1e-12);
            let residual = operator.apply(vector).unwrap().plus_scaled(-eigenvalue.value, vector);
            assert!((norm(&residual).unwrap() - eigenvalue.residual).abs() < 1e-12, "{}: {eigenvalue:?}", case.name);
            let (found, exact) = (host(vector), flat(&case, &expected["eigenvectors"][k]));
            let difference = (&found - &exact).norm().min((&found + &exact).norm());
            assert!(difference < 1e-6, "{} eigenvector {k}: {difference:e}", case.name);
        }
    }
}

fn near(what: &str, found: f64, expected: &Value) {
    let exact = expected.as_f64().unwrap();
    assert!((found - exact).abs() < 1e-8 * exact.abs().max(1.0), "{what}: {found}, expected {exact}");
}

fn top(operator: &dyn Operator) -> f64 {
    let options = LanczosOptions { largest: 1, smallest: 0, tolerance: 1e-9, ..LanczosOptions::default() };
    lanczos(operator, &options, &[], Key::new(1, Stream::Eigenvalue, 0)).unwrap().largest[0].value
}

/// tr A as a sum over the unit vectors, through products and through quadratic forms.
fn exact_traces(operator: &dyn Operator, theta: &Vector) -> [f64; 2] {
    let p = theta.len();
    let lengths: Vec<usize> = theta.parts().iter().map(|part| part.dims()[0]).collect();
    let unit = |i: usize| {
        let mut values = vec![0.0; p];
        values[i] = 1.0;
        let flat = Tensor::<1>::from_data(TensorData::new(values, [p]), (&Device::flex(), theta.dtype()));
        Vector::new(flat.split_with_sizes(lengths.clone(), 0))
    };
    let units: Vec<Vector> = (0..p).map(unit).collect();
    let by_products: f64 = units.iter().map(|e| e.dot(&operator.apply(e).unwrap()).into_scalar::<f64>()).sum();
    [by_products, operator.forms(&units).unwrap().values().iter().sum()]
}

/// With weight decay w: loss, gradient and Hessian are those of L + (w/2)‖θ‖² (from autodiff of the whole); with the same probes the trace
/// grows by exactly w p, every eigenvalue by w, the Frobenius norm as that of H + wI; the same of the Gauss–Newton matrix.
#[test]
fn weight_decay_shifts_the_spectrum() {
    for (case, expected) in cases() {
        let expected = &expected["weight_decay"];
        let w = expected["weight_decay"].as_f64().unwrap();
        let (plain, decayed) = (case.objective(7), case.objective(7).with_weight_decay(w));
        assert_eq!(decayed.on(vec![0, 1]).weight_decay, w);
        near("loss", evaluate(&decayed, &case.theta).unwrap().loss, &expected["loss"]);
        near("grad_norm", norm(&gradient(&decayed, &case.theta).unwrap()).unwrap(), &expected["grad_norm"]);
        let operator = CurvatureOperator::new(&decayed, &case.theta, Curvature::Hessian);
        for found in exact_traces(&operator, &case.theta) {
            near("trace_hessian", found, &expected["trace_hessian"]);
        }
        near("top_eigenvalue", top(&operator), &expected["top_eigenvalue"]);
        let p = case.theta.len() as f64;
        let key = Key::new(1, Stream::Probe, 0);
        for curvature in [Curvature::Hessian, Curvature::GaussNewton] {
            let [plain, decayed] =
                [&plain, &decayed].map(|objective| CurvatureOperator::new(objective, &case.theta, curvature));
            for frobenius in [true, false] {
                let options = TraceOptions { frobenius, diagonal: frobenius, ..TraceOptions::hutchinson(6) };
                let [before, after] = [&plain, &decayed].map(|operator| trace(operator, &options, key).unwrap());
                let [a, b] = [&before, &after].map(|found| found.trace.value.unwrap());
                assert!((b - a - w * p).abs() < 1e-11 * p, "{curvature:?}: {a}, {b}");
                let [a, b] = [&before, &after].map(|found| found.trace.std_error.unwrap());
                assert!((a - b).abs() < 1e-10, "the error of {curvature:?}: {a}, {b}");
                let forms = after.forms.as_ref().unwrap().values();
                assert!((mean_and_error(&forms).0 - after.trace.value.unwrap()).abs() < 1e-10);
                if let (Some(a), Some(b)) = (&before.diagonal, &after.diagonal) {
                    let shift = host(&b.values) - host(&a.values);
                    assert!(shift.iter().all(|shift| (shift - w).abs() < 1e-13), "{shift}");
                    let [a, b] = [&before, &after].map(|found| found.frobenius.value.unwrap().powi(2));
                    let moved = a + 2.0 * w * before.trace.value.unwrap() + w * w * p;
                    assert!((b - moved).abs() < 1e-10 * b, "{b}, expected {moved}");
                }
            }
            assert!((top(&decayed) - top(&plain) - w).abs() < 1e-8);
        }
    }
}

/// The loss with s = ε (C − 1)/C plus its floor is PyTorch's with `label_smoothing=ε`; the gradient and the Hessian are equal.
#[test]
fn label_smoothing_is_pytorchs() {
    for (case, expected) in cases() {
        let expected = &expected["label_smoothing"];
        let outputs = case.network.outputs();
        let smoothing = Loss::smoothing_of_uniform(expected["epsilon"].as_f64().unwrap(), outputs);
        let loss = Loss { smoothing, ..case.loss };
        let targets: Vec<f64> = case.labels.iter().flat_map(|&label| exact_target(loss, label, outputs)).collect();
        let shape = [case.labels.len(), outputs];
        let targets = Tensor::from_data(TensorData::new(targets, shape), (&Device::flex(), DType::F64));
        let samples = TensorSamples { targets, ..case.samples.clone() };
        let objective = Objective::on_all(&case.network, &case.buffers, loss, &samples, 1000);
        let found = evaluate(&objective, &case.theta).unwrap().loss + loss.floor(outputs);
        near("loss", found, &expected["loss"]);
        near("grad_norm", norm(&gradient(&objective, &case.theta).unwrap()).unwrap(), &expected["grad_norm"]);
        let operator = CurvatureOperator::new(&objective, &case.theta, Curvature::Hessian);
        for found in exact_traces(&operator, &case.theta) {
            near("trace_hessian", found, &expected["trace_hessian"]);
        }
        near("top_eigenvalue", top(&operator), &expected["top_eigenvalue"]);
    }
}
