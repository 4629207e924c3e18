//! Where the strength of label noise is the trace of the Hessian, in closed form and from draws.
#![allow(clippy::unwrap_used)]

mod support;

use burn::tensor::{DType, Device, Tensor, TensorData};
use nalgebra::DMatrix;
use saltflat_metrics::{Estimate, ExpectedLabelNoise, NoiseStrength, Outputs, Pairs, Scoring, expected_label_noise};
use saltflat_models::{Loss, LossKind};
use saltflat_random::{Key, Stream};
use support::regression::Regression;

const N: usize = 20;

/// Rows of targets on the device.
fn upload(targets: &DMatrix<f64>) -> Tensor<2> {
    let rows = targets.transpose().as_slice().to_vec();
    Tensor::from_data(TensorData::new(rows, [targets.nrows(), targets.ncols()]), (&Device::flex(), DType::F64))
}

/// A regression whose θ is a minimum: its targets are φ(f) at θ, softmax or the identity.
fn fitted(kind: LossKind, outputs: usize) -> Regression {
    let mut case = Regression::new(kind, N, outputs);
    let outputs = &case.x * case.weights().transpose();
    let targets = match kind {
        LossKind::Square => outputs,
        LossKind::CrossEntropy => {
            let exp = outputs.map(f64::exp);
            DMatrix::from_fn(N, exp.ncols(), |i, c| exp[(i, c)] / exp.row(i).sum())
        }
    };
    case.samples.targets = upload(&targets);
    case
}

fn closed_form(case: &mut Regression, scoring: Scoring, smoothing: f64) -> ExpectedLabelNoise {
    case.samples.scoring = scoring;
    case.loss.smoothing = smoothing;
    let key = Key::new(1, Stream::OutputSigns, 0);
    let pairs =
        Pairs::measure(&case.objective(), &case.theta, Outputs::Exact, usize::MAX, key).unwrap().into_result().unwrap();
    expected_label_noise(&pairs, 2 * N)
}

fn near(found: &Estimate, exact: f64) {
    let value = found.value.unwrap_or_else(|| panic!("{found:?}, expected {exact}"));
    assert!((value / exact - 1.0).abs() < 1e-12, "{value}, expected {exact}");
}

/// Cross-entropy with flipped classes, and the square loss with noise on real targets: tr H of the dense Hessian.
#[test]
fn the_closed_form_is_the_trace_at_a_minimum() {
    let mut case = fitted(LossKind::CrossEntropy, 3);
    let exact = case.hessian(&case.all()).trace();
    near(&closed_form(&mut case, Scoring::Class, 0.2).trace_from_noise_expected, exact);
    let certain = closed_form(&mut case, Scoring::Class, 0.0);
    for estimate in [certain.flip_noise_sq, certain.trace_from_noise_expected] {
        assert!(estimate.value.is_none() && estimate.reason.unwrap().contains("no smoothing"));
    }
    for (outputs, scoring) in [(1, Scoring::Binary), (1, Scoring::None), (3, Scoring::None)] {
        let mut case = fitted(LossKind::Square, outputs);
        let found = closed_form(&mut case, scoring, 0.0);
        near(&found.trace_from_noise_expected, case.hessian(&case.all()).trace());
        assert!(found.flip_noise_sq.reason.unwrap().contains("not classes"));
    }
}

/// The square loss with flipped classes, f = W x: Jᵢ has xᵢ once for each output, so the flips have the strength
/// (1 − ‖qᵢ‖²) ‖xᵢ‖², in the mean over these 20 samples, over n = 40 training samples, and tr H is the mean of C ‖xᵢ‖². n times the
/// one is not the other, and no value pretends that it is.
#[test]
fn flips_with_the_square_loss_have_a_strength_and_no_trace() {
    let (classes, s) = (3, 0.2);
    let mut case = Regression::new(LossKind::Square, N, classes);
    let target = |i: usize, c: usize| if i % classes == c { 1.0 - s } else { s / (classes - 1) as f64 };
    case.samples.targets = upload(&DMatrix::from_fn(N, classes, target));
    let squares = case.x.norm_squared();
    let left = 1.0 - (1.0f64 - s).powi(2) - s * s / 2.0;
    let found = closed_form(&mut case, Scoring::Class, s);
    near(&found.flip_noise_sq, squares * left / (N * 2 * N) as f64);
    let trace = case.hessian(&case.all()).trace();
    assert!((trace / (3.0 * squares / N as f64) - 1.0).abs() < 1e-12);
    assert!(found.trace_from_noise_expected.value.is_none());
    assert!(found.trace_from_noise_expected.reason.unwrap().contains("square loss"));
}

/// Noise ±σ on each of two real targets, drawn 2,000 times: B ‖ξ‖²/σ² has the mean tr H, for a small σ and a large one.
#[test]
fn additive_noise_is_divided_by_its_variance() {
    let case = fitted(LossKind::Square, 2);
    let exact = case.hessian(&case.all()).trace();
    let expected: Vec<f32> = case.samples.targets.clone().try_into_vec_as().unwrap();
    for sigma in [0.05, 3.0] {
        let mut strength = NoiseStrength::default();
        for draw in 0..2000 {
            let signs = Key::new(4, Stream::LabelNoise, draw).signs(2 * N);
            let drawn = expected.iter().zip(signs).map(|(q, sign)| q + sigma as f32 * sign).collect();
            let noise =
                support::label_noise(&case.samples, &case.network, &case.loss, &case.theta, &case.buffers, drawn);
            strength.record(&noise, N as f64 / (sigma * sigma));
        }
        let found = strength.take().unwrap();
        let (value, error) = (found.value.unwrap(), found.std_error.unwrap());
        assert!((value - exact).abs() < 4.0 * error && error < 0.03 * exact, "{value} ± {error}, exact {exact}");
    }
}

/// Two classes are the logistic loss of f₁ − f₂: N = p(1−p) E‖J₁ − J₂‖², σ² = α = p(1−p) of table 1.
#[test]
fn two_classes_are_the_logistic_loss() {
    let mut case = Regression::new(LossKind::CrossEntropy, N, 2);
    let p = 0.3;
    case.samples.targets = upload(&DMatrix::from_fn(N, 2, |i, c| if i % 2 == c { 1.0 - p } else { p }));
    case.loss = Loss { smoothing: p, ..case.loss };
    let exact = p * (1.0 - p) * 2.0 * case.x.norm_squared() / N as f64;
    near(&closed_form(&mut case, Scoring::Class, p).trace_from_noise_expected, exact);
}
