//! Networks whose Hessian is known in closed form: linear and softmax regression.
#![allow(clippy::unwrap_used)]

mod support;

use burn::tensor::{DType, Device, Tensor, TensorData};
use nalgebra::{DMatrix, DVector};
use saltflat_metrics::{
    Alignment, Curvature, CurvatureOperator, Interrupt, LanczosOptions, Objective, Operator, Outputs, Pairs,
    TraceOptions, gradient, lanczos, mean_and_error, noise_eigenvalues, sharpness, trace,
};
use saltflat_models::{LossKind, Vector};
use saltflat_random::{Key, Stream};
use support::regression::{D, Regression, host};

/// H = XᵀX/n for linear regression, (1/n) Σ (diag p − ppᵀ) ⊗ xxᵀ for softmax regression: the whole matrix, column by
/// column, is also the Gauss–Newton matrix; its eigenvalues are found.
#[test]
fn hessians_of_regressions() {
    for case in [Regression::new(LossKind::Square, 20, 1), Regression::new(LossKind::CrossEntropy, 20, 3)] {
        let exact = case.hessian(&case.all());
        let p = exact.nrows();
        let objective = case.objective();
        for curvature in [Curvature::Hessian, Curvature::GaussNewton] {
            let operator = CurvatureOperator::new(&objective, &case.theta, curvature);
            for i in 0..p {
                let unit = case.theta.zeros_like().map(|t| t.slice_fill(i..i + 1, 1.0));
                let column = host(&operator.apply(&unit).unwrap());
                assert!((column - exact.column(i)).norm() < 1e-13, "{curvature:?}, column {i}");
            }
            assert_eq!(operator.products(), p);
            let price = if curvature == Curvature::Hessian { 8.0 / 3.0 } else { 5.0 / 3.0 };
            assert!((operator.gradients() - price * p as f64).abs() < 1e-9);
        }
        let operator = CurvatureOperator::new(&objective, &case.theta, Curvature::Hessian);
        let options = LanczosOptions { tolerance: 1e-10, ..LanczosOptions::default() };
        let found = lanczos(&operator, &options, &[], Key::new(1, Stream::Eigenvalue, 0)).unwrap();
        let mut eigenvalues = exact.symmetric_eigenvalues().as_slice().to_vec();
        eigenvalues.sort_by(|a, b| b.total_cmp(a));
        for (found, exact) in found.largest.iter().zip(&eigenvalues) {
            assert!((found.value - exact).abs() < 1e-9, "{found:?} {exact}");
        }
    }
}

/// The error of a subset: over 200 random subsets of 64 out of 400 samples, walked in 8 microbatches, the spread of the
/// traces around that of all samples is what is claimed on average. Variances with 7 degrees of freedom, averaged over 200:
/// within a quarter.
#[test]
fn subset_error_of_the_trace() {
    let case = Regression::new(LossKind::Square, 400, 1);
    let whole = case.hessian(&case.all()).trace();
    let (mut seen, mut claimed) = (0.0, 0.0);
    for i in 0..200 {
        let indices = Key::new(5, Stream::Subset, i).permutation(400)[..64].to_vec();
        let objective = Objective { microbatch: 8, ..case.objective().on(indices) };
        let operator = CurvatureOperator::new(&objective, &case.theta, Curvature::Hessian);
        // Every unit vector once in place of random probes: no probe error.
        let units: Vec<Vector> = (0..D).map(|j| case.theta.zeros_like().map(|t| t.slice_fill(j..j + 1, 1.0))).collect();
        let mut forms = operator.forms(&units).unwrap();
        let trace: f64 = forms.values().iter().sum();
        // One "direction" whose form is the trace.
        let sums = (0..forms.sizes.len()).map(|g| forms.by_batch.iter().map(|row| row[g]).sum()).collect();
        forms.by_batch = vec![sums];
        seen += (trace - whole).powi(2) / 200.0;
        claimed += forms.subset_error(400).unwrap().powi(2) / 200.0;
    }
    let ratio = seen / claimed;
    assert!((0.75..1.33).contains(&ratio), "seen {seen:e}, claimed {claimed:e}");
}

/// The largest eigenvalues of Σ = (1/n) Σ (gᵢ − ḡ)(gᵢ − ḡ)ᵀ from the samples' inner products, against those of the whole
/// matrix, with the gradients of softmax regression in closed form.
#[test]
fn noise_eigenvalues_are_those_of_the_covariance() {
    let case = Regression::new(LossKind::CrossEntropy, 15, 3);
    let n = case.x.nrows() as f64;
    let gradients: Vec<DVector<f64>> = case
        .all()
        .into_iter()
        .map(|i| {
            let x = case.x.row(i).transpose();
            let exp = (case.weights() * &x).map(f64::exp);
            (&exp / exp.sum() - case.y.row(i).transpose()).kronecker(&x)
        })
        .collect();
    let mean = gradients.iter().sum::<DVector<f64>>() / n;
    let covariance = gradients.iter().map(|g| (g - &mean) * (g - &mean).transpose()).sum::<DMatrix<f64>>() / n;
    let mut exact = covariance.symmetric_eigenvalues().as_slice().to_vec();
    exact.sort_by(|a, b| b.total_cmp(a));
    let pairs = Pairs::measure(&case.objective(), &case.theta, Outputs::Exact, 1 << 30, Key::new(1, Stream::Probe, 0));
    let found = noise_eigenvalues(&pairs.unwrap().into_result().unwrap(), 5, Interrupt::default()).unwrap();
    for (found, exact) in found.iter().zip(&exact) {
        assert!((found - exact).abs() < 1e-12 * exact.max(1.0), "{found} {exact}");
    }
    assert_eq!(found.len(), 5);
}

/// The jackknife's error of μ and α: over 60 random subsets of 40 samples the spread of the values is what is claimed on
/// average, within a factor of 1.6 in the error (the jackknife is biased upwards by a few percent, and 60 values give a
/// variance to a fifth).
#[test]
fn jackknife_errors_are_right() {
    let case = Regression::new(LossKind::Square, 3000, 1);
    for pick in [|a: &Alignment| a.mu.clone(), |a: &Alignment| a.alpha.clone(), |a: &Alignment| a.trace_noise.clone()] {
        let (mut values, mut claimed) = (Vec::new(), 0.0_f64);
        for i in 0..60_usize {
            let indices = (i * 40..(i + 1) * 40).map(|i| i as u32).collect();
            let objective = case.objective().on(indices);
            let key = Key::new(6, Stream::OutputSigns, 0);
            let pairs = Pairs::measure(&objective, &case.theta, Outputs::Exact, usize::MAX, key)
                .unwrap()
                .into_result()
                .unwrap();
            let estimate = pick(&Alignment::new(&pairs));
            values.push(estimate.value.unwrap());
            claimed += estimate.std_error.unwrap().powi(2) / 60.0;
        }
        let seen = mean_and_error(&values).1.unwrap() * 60.0_f64.sqrt();
        let ratio = seen / claimed.sqrt();
        assert!((0.6..1.6).contains(&ratio), "seen {seen}, claimed {}", claimed.sqrt());
    }
}

/// Batch sharpness against the sum over all 15 batches of 2 out of 6 samples; with all samples in the batch it is the
/// sharpness along the gradient. Directional sharpness along any vector is its Rayleigh quotient.
#[test]
fn sharpness_of_batches_and_directions() {
    let case = Regression::new(LossKind::CrossEntropy, 6, 3);
    let objective = case.objective();
    let (mut top, mut bottom, mut noise) = (0.0, 0.0, 0.0);
    let whole = host(&gradient(&objective, &case.theta).unwrap());
    for i in 0..6 {
        for j in i + 1..6 {
            let g = host(&gradient(&objective.on(vec![i as u32, j as u32]), &case.theta).unwrap());
            top += (case.hessian(&[i, j]) * &g).dot(&g);
            bottom += g.norm_squared();
            noise += (&g - &whole).norm_squared();
        }
    }
    let update = case.theta.normal_like(Key::new(7, Stream::Probe, 0));
    let key = Key::new(8, Stream::BatchSample, 0);
    let found = sharpness(&objective, &case.theta, Some(&update), 6, 2, 600, key).unwrap();
    for (estimate, exact) in
        [(&found.batch_sharpness, top / bottom), (&found.gradient_snr, whole.norm_squared() * 15.0 / noise)]
    {
        let (value, error) = (estimate.value.unwrap(), estimate.std_error.unwrap());
        assert!((value - exact).abs() < 4.0 * error, "{value} ± {error}, exact {exact}");
    }
    let h = case.hessian(&case.all());
    let rayleigh = |v: &DVector<f64>| (&h * v).dot(v) / v.norm_squared();
    assert!((found.along_gradient.value.unwrap() - rayleigh(&whole)).abs() < 1e-12);
    assert!((found.along_update.value.unwrap() - rayleigh(&host(&update))).abs() < 1e-12);
    let all = sharpness(&objective, &case.theta, None, 6, 6, 2, key).unwrap();
    assert!((all.batch_sharpness.value.unwrap() - rayleigh(&whole)).abs() < 1e-12);
    assert!(all.gradient_snr.reason.unwrap().contains("no gradient noise"));
    assert!(all.along_update.reason.unwrap().contains("no last update"));
}

/// Measured on 5 of 12 samples, with batches of 2: the noise in `gradient_snr` is S²(1/2 − 1/12), the variance of a batch of
/// the 12, with S² from the 5. A batch of 5 or more of the 12 cannot be drawn twice from 5.
#[test]
fn gradient_noise_of_a_subset_is_that_of_training_batches() {
    let case = Regression::new(LossKind::CrossEntropy, 12, 3);
    let subset = case.objective().on((0..5).collect());
    let gradients: Vec<_> = (0..5).map(|i| host(&gradient(&subset.on(vec![i]), &case.theta).unwrap())).collect();
    let mean = gradients.iter().sum::<DVector<f64>>() / 5.0;
    let variance = gradients.iter().map(|g| (g - &mean).norm_squared()).sum::<f64>() / 4.0;
    let exact = mean.norm_squared() / (variance * (1.0 / 2.0 - 1.0 / 12.0));
    let key = Key::new(8, Stream::BatchSample, 1);
    let found = sharpness(&subset, &case.theta, None, 12, 2, 600, key).unwrap().gradient_snr;
    let (value, error) = (found.value.unwrap(), found.std_error.unwrap());
    assert!((value - exact).abs() < 4.0 * error && error < 0.05 * exact, "{value} ± {error}, exact {exact}");
    for batch in [5, 6, 12] {
        let found = sharpness(&subset, &case.theta, None, 12, batch, 3, key).unwrap();
        for estimate in [found.batch_sharpness, found.gradient_snr] {
            assert!(estimate.value.is_none() && estimate.reason.unwrap().contains("5 of 12"), "batch {batch}");
        }
        assert!(found.along_gradient.value.is_some());
    }
}

/// One sample, and a loss of zero: no panic, and a reason if there is no number.
#[test]
fn degenerate_sets_have_reasons() {
    let mut case = Regression::new(LossKind::Square, 4, 1);
    let key = Key::new(9, Stream::OutputSigns, 0);
    let of = |objective: &Objective<'_>, theta: &Vector| {
        Alignment::new(
            &Pairs::measure(objective, theta, Outputs::Exact, usize::MAX, key).unwrap().into_result().unwrap(),
        )
    };
    let one = of(&case.objective().on(vec![0]), &case.theta);
    assert!(one.trace_noise.value.unwrap().abs() < 1e-12, "{:?}", one.trace_noise);
    assert!(one.trace_noise.std_error.is_none());
    let outputs = &case.x * case.weights().transpose();
    case.samples.targets =
        Tensor::from_data(TensorData::new(outputs.as_slice().to_vec(), [4, 1]), (&Device::flex(), DType::F64));
    let fitted = of(&case.objective(), &case.theta);
    for estimate in [&fitted.beta, &fitted.mu, &fitted.mu1] {
        assert!(estimate.value.is_none() && estimate.reason.as_ref().unwrap().contains("loss"), "{estimate:?}");
    }
    assert!(fitted.trace_gram.value.unwrap() > 0.0);
    let operator_objective = case.objective();
    let operator = CurvatureOperator::new(&operator_objective, &case.theta, Curvature::Hessian);
    let found = trace(&operator, &TraceOptions::hutchinson(4), key).unwrap();
    assert!(found.trace.value.is_some());
}
