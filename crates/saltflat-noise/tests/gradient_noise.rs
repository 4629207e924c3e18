//! The contract of every noise in the gradient: mean zero and the stated covariance, on a linear network f = W x, whose
//! per-sample gradients rᵢ xᵢᵀ are written out here.

use burn::tensor::{DType, Device, Tensor, TensorData};
use saltflat_models::{Loss, LossKind, Vector};
use saltflat_noise::{
    ActsOn, AnyNoise, Diagonal, FlipTo, GeometryAware, Isotropic, IsotropicLossScaled, LabelFlip, LogitGaussian,
    Minibatch, NOISES, OutputNoise, SgdCovariance, SigmaConvention, StepContext, StrengthControl, Targets, example,
};

const B: usize = 4;
const C: usize = 3;
const D: usize = 2;
const P: usize = C * D;
const DRAWS: u64 = 20_000;

const X: [[f64; D]; B] = [[1.0, -0.5], [0.3, 2.0], [-1.2, 0.7], [0.4, 0.9]];
/// Outputs, and the expected targets of the labels 0, 1, 2, 0.
const F: [[f64; C]; B] = [[0.5, -1.0, 0.2], [1.5, 0.3, -0.4], [0.0, 0.6, -0.8], [-0.7, 0.1, 1.1]];
const LABELS: [u32; B] = [0, 1, 2, 0];

/// P × P, row-major.
type Matrix = Vec<f64>;

fn matrix(f: impl Fn(usize, usize) -> f64) -> Matrix {
    (0..P * P).map(|k| f(k / P, k % P)).collect()
}

fn softmax(f: &[f64; C]) -> [f64; C] {
    let sum: f64 = f.iter().map(|f| f.exp()).sum();
    f.map(|f| f.exp() / sum)
}

/// Smoothed by s.
fn target(s: f64, i: usize) -> [f64; C] {
    std::array::from_fn(|c| if c == LABELS[i] as usize { 1.0 - s } else { s / (C - 1) as f64 })
}

/// The gradient of sample i with respect to W, for the cotangent ν: ν xᵀ.
fn backward(cotangent: &[f64], i: usize) -> Vec<f64> {
    cotangent.iter().flat_map(|nu| X[i].map(|x| nu * x)).collect()
}

fn residual(kind: LossKind, i: usize) -> Vec<f64> {
    let prediction = if kind == LossKind::CrossEntropy { softmax(&F[i]) } else { F[i] };
    prediction.iter().zip(target(0.0, i)).map(|(f, q)| f - q).collect()
}

/// Σ = (1/B) Σᵢ (gᵢ − ḡ)(gᵢ − ḡ)ᵀ.
fn sgd(kind: LossKind) -> Matrix {
    let g: Vec<Vec<f64>> = (0..B).map(|i| backward(&residual(kind, i), i)).collect();
    let mean: Vec<f64> = (0..P).map(|a| g.iter().map(|g| g[a]).sum::<f64>() / B as f64).collect();
    matrix(|a, b| g.iter().map(|g| (g[a] - mean[a]) * (g[b] - mean[b])).sum::<f64>() / B as f64)
}

/// (1/B) Σᵢ Jᵢᵀ Sᵢ Jᵢ for some covariances Sᵢ of the outputs.
fn outputs(covariance: impl Fn(usize, usize, usize) -> f64) -> Matrix {
    matrix(|a, b| (0..B).map(|i| covariance(i, a / D, b / D) * X[i][a % D] * X[i][b % D]).sum::<f64>() / B as f64)
}

fn categorical(q: [f64; C], c: usize, d: usize) -> f64 {
    if c == d { q[c] - q[c] * q[d] } else { -q[c] * q[d] }
}

fn identity(_: usize, c: usize, d: usize) -> f64 {
    f64::from(u8::from(c == d))
}

fn times(a: f64, m: Matrix) -> Matrix {
    m.into_iter().map(|x| a * x).collect()
}

struct Contract {
    name: &'static str,
    noise: AnyNoise,
    covariance: fn(LossKind) -> Matrix,
}

fn contracts() -> Vec<Contract> {
    let row = |name, noise, covariance| Contract { name, noise, covariance };
    let gaussian = |sigma, convention| AnyNoise::from(LogitGaussian { sigma, convention });
    let sgd_like = || AnyNoise::from(SgdCovariance { batch_size: 2 });
    let flip = || AnyNoise::from(LabelFlip { probability: 0.3, to: FlipTo::Wrong });
    fn flips() -> Matrix {
        times(1.0 / B as f64, outputs(|i, c, d| categorical(target(0.3, i), c, d)))
    }
    fn isotropic(of: &Matrix) -> Matrix {
        let trace: f64 = (0..P).map(|a| of[a * P + a]).sum();
        matrix(|a, b| if a == b { trace / P as f64 } else { 0.0 })
    }
    fn diagonal(of: &Matrix) -> Matrix {
        matrix(|a, b| if a == b { of[a * P + b] } else { 0.0 })
    }
    vec![
        row("label-flip", flip(), |_| flips()),
        row("logit-gaussian, norm", gaussian(0.5, SigmaConvention::Norm), |_| {
            times(0.25 / (B * C) as f64, outputs(identity))
        }),
        row("logit-gaussian, coordinate", gaussian(0.5, SigmaConvention::Coordinate), |_| {
            times(0.25 / B as f64, outputs(identity))
        }),
        row("sgd-covariance", sgd_like(), |kind| times(0.5, sgd(kind))),
        row("minibatch, one pair", AnyNoise::from(Minibatch { batch_size: 1, sigma: 0.5 }), |kind| {
            times(2.0 * 0.25, sgd(kind))
        }),
        row("minibatch, three pairs", AnyNoise::from(Minibatch { batch_size: 3, sigma: 1.0 }), |kind| {
            times(2.0 / 3.0, sgd(kind))
        }),
        // Without the √(2L) of the trainer.
        row("geometry-aware", AnyNoise::from(GeometryAware { batch_size: 2 }), |kind| {
            times(
                0.5,
                outputs(|i, c, d| match kind {
                    LossKind::CrossEntropy => categorical(softmax(&F[i]), c, d),
                    LossKind::Square => identity(i, c, d),
                }),
            )
        }),
        row("isotropic", AnyNoise::from(Isotropic { like: sgd_like() }), |kind| isotropic(&times(0.5, sgd(kind)))),
        row("diagonal", AnyNoise::from(Diagonal { like: sgd_like() }), |kind| diagonal(&times(0.5, sgd(kind)))),
        row("diagonal of flips", AnyNoise::from(Diagonal { like: flip() }), |_| diagonal(&flips())),
        row("isotropic-loss-scaled", AnyNoise::from(IsotropicLossScaled { sigma: 0.3 }), |_| {
            matrix(|a, b| if a == b { 0.09 } else { 0.0 })
        }),
    ]
}

/// `contract.rs` has the kinds that act on something else.
#[test]
fn every_kind_has_a_row() {
    let rows = contracts();
    for kind in NOISES {
        let acts_on = example(kind, NOISES).expect("an example can be read").properties().acts_on;
        let is_here = rows.iter().any(|row| row.noise.name() == kind.name);
        assert!(is_here || !matches!(acts_on, ActsOn::Outputs | ActsOn::Gradient), "{}", kind.name);
    }
}

fn tensor(rows: impl Iterator<Item = [f64; C]>) -> Tensor<2> {
    let values: Vec<f64> = rows.flatten().collect();
    let n = values.len() / C;
    Tensor::from_data(TensorData::new(values, [n, C]), (&Device::flex(), DType::F64))
}

fn host(v: &Vector) -> Vec<f64> {
    v.parts()[0].clone().try_into_vec_as::<f64>().expect("on the CPU")
}

/// ξ of one step, the batch cut into pieces of `rows`.
fn draw(noise: &AnyNoise, kind: LossKind, at: StepContext, rows: usize) -> Option<Vec<f64>> {
    let s = noise.smoothing(C, at.factor);
    let mut targets = Targets {
        values: (0..B).flat_map(|i| target(s, i)).map(|q| q as f32).collect(),
        outputs: C,
        labels: Some(LABELS.to_vec()),
    };
    let expected = targets.clone();
    noise.draw_targets(at, &mut targets);
    let output = match noise.reference_or_self().randomises_targets() {
        true => Some(OutputNoise::of_targets(&expected, &targets)),
        false => noise.draw_output_noise(at, B, C),
    };
    let loss = Loss { kind, smoothing: 0.0 };
    let reference = output.map(|output| {
        let mut sum = vec![0.0; P];
        for start in (0..B).step_by(rows) {
            let range = start..(start + rows).min(B);
            let f = tensor(range.clone().map(|i| F[i]));
            let q = tensor(range.clone().map(|i| target(0.0, i)));
            let cotangents = output.cotangent(&loss, f, q, range.clone()).try_into_vec_as::<f64>().expect("on the CPU");
            for (nu, i) in cotangents.chunks(C).zip(range) {
                sum.iter_mut().zip(backward(nu, i)).for_each(|(sum, g)| *sum += g / B as f64);
            }
        }
        Vector::new(vec![Tensor::from_data(TensorData::new(sum, [P]), (&Device::flex(), DType::F64))])
    });
    let theta = Vector::from_host([vec![0.0; P]], &Device::flex(), DType::F64);
    noise.gradient_noise(at, reference, &theta).map(|v| host(&v))
}

fn moment(seed: u64, step: u64) -> StepContext {
    StepContext { seed, step, factor: 1.0, substream: 0 }
}

/// Mean 0 and the stated covariance within 5 standard errors, which come from the draws themselves (about 900 comparisons:
/// 5 standard errors are passed by chance once in two thousand times).
#[test]
fn noises_have_the_stated_mean_and_covariance() {
    for Contract { name, noise, covariance } in contracts() {
        for kind in [LossKind::CrossEntropy, LossKind::Square] {
            let draws: Vec<Vec<f64>> =
                (0..DRAWS).map(|step| draw(&noise, kind, moment(9, step), B).expect("it is noisy")).collect();
            for a in 0..P {
                within(name, &draws, 0.0, |x| x[a]);
            }
            for (k, &stated) in covariance(kind).iter().enumerate() {
                within(name, &draws, stated, |x| x[k / P] * x[k % P]);
            }
        }
    }
}

fn within(name: &str, draws: &[Vec<f64>], stated: f64, f: impl Fn(&[f64]) -> f64) {
    let n = draws.len() as f64;
    let mean = draws.iter().map(|x| f(x)).sum::<f64>() / n;
    let variance = draws.iter().map(|x| (f(x) - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let allowed = 5.0 * (variance / n).sqrt() + 1e-7;
    assert!((mean - stated).abs() <= allowed, "{name}: {mean}, stated {stated}, allowed ±{allowed:e}");
}

/// Seeds, steps, and pieces of a batch; the halved schedule halves the noise of every kind whose σ it multiplies.
#[test]
fn draws_are_keyed_by_the_step() {
    let kind = LossKind::CrossEntropy;
    for Contract { name, noise, .. } in contracts() {
        let sequence = |seed| (0..20).map(|step| draw(&noise, kind, moment(seed, step), B)).collect::<Vec<_>>();
        assert_eq!(sequence(1), sequence(1), "{name}");
        assert_ne!(sequence(1), sequence(2), "{name}");
        let whole = sequence(1).concat_numbers();
        let cut: Vec<_> = (0..20).map(|step| draw(&noise, kind, moment(1, step), 3)).collect();
        let halved: Vec<_> =
            (0..20).map(|step| draw(&noise, kind, StepContext { factor: 0.5, ..moment(1, step) }, B)).collect();
        let flips = noise.smoothing(C, 1.0) > 0.0;
        for ((a, b), h) in whole.iter().zip(cut.concat_numbers()).zip(halved.concat_numbers()) {
            assert!((a - b).abs() < 1e-12, "{name}: {a} whole, {b} in pieces");
            assert!(flips || (0.5 * a - h).abs() < 1e-6, "{name}: {a}, half as strong {h}");
        }
    }
}

/// Several draws as one list.
trait Numbers {
    fn concat_numbers(&self) -> Vec<f64>;
}

impl Numbers for Vec<Option<Vec<f64>>> {
    fn concat_numbers(&self) -> Vec<f64> {
        self.iter().flatten().flatten().copied().collect()
    }
}

#[test]
fn strength_zero_is_no_noise() {
    let silent = [
        AnyNoise::from(LogitGaussian { sigma: 0.0, convention: SigmaConvention::Norm }),
        AnyNoise::from(Minibatch { batch_size: 2, sigma: 0.0 }),
        AnyNoise::from(IsotropicLossScaled { sigma: 0.0 }),
    ];
    for noise in silent {
        assert_eq!(draw(&noise, LossKind::Square, moment(1, 0), B), None, "{noise:?}");
    }
    let off = StepContext { factor: 0.0, ..moment(1, 0) };
    let sgd = AnyNoise::from(SgdCovariance { batch_size: 2 });
    assert_eq!(draw(&sgd, LossKind::Square, off, B), None);
}

/// By hand: one measurement x gives c² = s/x, just what was asked for, so g stays 1; after x = 1 and x = 3 m = (0.98 + 3)/1.98,
/// and g is e^((1 − 3/m)/50) from then on. A noise that vanishes stays 0, one that nearly does is multiplied by 10⁶ at most. One
/// that falls by 1 % a measurement is followed: the last 500 of 1,000 have the strength s within 1 %.
#[test]
fn strength_control_by_hand() {
    let scalar = |x: f64| Tensor::from_data(TensorData::new(vec![x], [1]), (&Device::flex(), DType::F64));
    let c =
        |control: &StrengthControl| control.factor(2.0).expect("measured").try_into_vec_as::<f64>().expect("CPU")[0];
    let mut control = StrengthControl::default();
    assert!(control.factor(2.0).is_none());
    control.record(scalar(1.0));
    assert!((c(&control) - 2f64.sqrt()).abs() < 1e-15);
    control.record(scalar(3.0));
    let mean = (0.98 + 3.0) / 1.98;
    assert!((c(&control).powi(2) - 2.0 / mean).abs() < 1e-14);
    let g = ((1.0 - 3.0 / mean) / 50.0f64).exp();
    let (on_device, weight) = control.parts();
    let mut again = StrengthControl::from_parts(on_device, weight);
    again.record(scalar(0.5));
    control.record(scalar(0.5));
    assert_eq!(c(&again), c(&control));
    let mean = (0.98 * (0.98 + 3.0) + 0.5) / (0.98 * 1.98 + 1.0);
    assert!((c(&control).powi(2) - 2.0 * g / mean).abs() < 1e-14);
    for (x, expected) in [(0.0, 0.0), (1e-300, 1e6)] {
        let mut control = StrengthControl::default();
        control.record(scalar(x));
        assert_eq!(c(&control), expected);
    }
    let mut control = StrengthControl::default();
    let achieved: Vec<f64> = (0..1000)
        .map(|k| {
            let x = 0.99f64.powi(k);
            control.record(scalar(x));
            c(&control).powi(2) * x
        })
        .collect();
    assert!((achieved[500..].iter().sum::<f64>() / 500.0 / 2.0 - 1.0).abs() < 0.01);
}
