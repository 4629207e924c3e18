//! One contract for every kind of noise.

use burn::tensor::{DType, Device};
use saltflat_models::Vector;
use saltflat_noise::{
    ActsOn, AnyNoise, FlipTo, LabelFlip, LabelNoise, LabelSmoothing, Langevin, NOISES, NoNoise, Noise,
    ParameterGaussian, StepContext, TargetDistribution, Targets, example,
};

const CLASSES: usize = 4;
const DRAWS: u64 = 20_000;

fn moment(seed: u64, step: u64) -> StepContext {
    StepContext { seed, step, factor: 1.0, substream: 0 }
}

/// What a kind says of the noise on one target: its mean, and its covariance as a function of the mean.
struct Contract {
    name: &'static str,
    noise: AnyNoise,
    silent: AnyNoise,
    mean: fn(&[f64], usize) -> Vec<f64>,
    covariance: fn(&[f64]) -> Vec<f64>,
}

fn contracts() -> Vec<Contract> {
    let flip = |probability, to| AnyNoise::from(LabelFlip { probability, to });
    let smoothing = |probability, to| AnyNoise::from(LabelSmoothing { probability, to });
    let real = |sigma, distribution| AnyNoise::from(LabelNoise { sigma, distribution });
    let gaussian = |sigma| AnyNoise::from(ParameterGaussian { sigma });
    let plain = AnyNoise::from(NoNoise {});
    let itself = |q: &[f64], _| q.to_vec();
    let none = |_: &[f64]| vec![0.0; CLASSES * CLASSES];
    let categorical = |q: &[f64]| entries(|a, b| if a == b { q[a] } else { 0.0 } - q[a] * q[b]);
    let wrong = |_: &[f64], label| smoothed(0.3, label);
    let uniform = |_: &[f64], label| smoothed(0.3 * 0.75, label);
    let variance = |_: &[f64]| entries(|a, b| if a == b { 0.25 } else { 0.0 });
    vec![
        Contract { name: "none", noise: plain.clone(), silent: plain, mean: itself, covariance: none },
        Contract {
            name: "label-flip, wrong",
            noise: flip(0.3, FlipTo::Wrong),
            silent: flip(0.0, FlipTo::Wrong),
            mean: wrong,
            covariance: categorical,
        },
        Contract {
            name: "label-flip, uniform",
            noise: flip(0.3, FlipTo::Uniform),
            silent: flip(0.0, FlipTo::Uniform),
            mean: uniform,
            covariance: categorical,
        },
        Contract {
            name: "label-smoothing",
            noise: smoothing(0.3, FlipTo::Wrong),
            silent: smoothing(0.0, FlipTo::Wrong),
            mean: wrong,
            covariance: none,
        },
        Contract {
            name: "label-noise, sign",
            noise: real(0.5, TargetDistribution::Sign),
            silent: real(0.0, TargetDistribution::Sign),
            mean: itself,
            covariance: variance,
        },
        Contract {
            name: "label-noise, gaussian",
            noise: real(0.5, TargetDistribution::Gaussian),
            silent: real(0.0, TargetDistribution::Gaussian),
            mean: itself,
            covariance: variance,
        },
        Contract {
            name: "parameter-gaussian",
            noise: gaussian(0.5),
            silent: gaussian(0.0),
            mean: itself,
            covariance: none,
        },
    ]
}

/// The kinds of these two sorts are the rows; `gradient_noise.rs` has those that act on outputs and gradient, and the draws of those that
/// act on the parameters are one function.
#[test]
fn every_kind_has_a_row() {
    let rows = contracts();
    for kind in NOISES {
        let noise = example(kind, NOISES).expect("an example can be read");
        let is_here = rows.iter().any(|row| row.noise.name() == kind.name);
        match noise.properties().acts_on {
            ActsOn::Nothing | ActsOn::Targets => assert!(is_here, "{}", kind.name),
            ActsOn::Parameters => assert!(noise.parameter_sigma(0.1).is_some(), "{}", kind.name),
            ActsOn::Outputs | ActsOn::Gradient => {}
        }
    }
}

fn entries(f: impl Fn(usize, usize) -> f64) -> Vec<f64> {
    (0..CLASSES * CLASSES).map(|k| f(k / CLASSES, k % CLASSES)).collect()
}

fn smoothed(s: f64, label: usize) -> Vec<f64> {
    (0..CLASSES).map(|c| if c == label { 1.0 - s } else { s / (CLASSES - 1) as f64 }).collect()
}

/// A batch of one sample; the target is what the loss smoothed as the noise says.
fn batch(noise: &AnyNoise, label: usize) -> Targets {
    let values = smoothed(noise.smoothing(CLASSES, 1.0), label).into_iter().map(|q| q as f32).collect();
    Targets { values, outputs: CLASSES, labels: Some(vec![label as u32]) }
}

fn drawn(noise: &AnyNoise, seed: u64, step: u64, label: usize) -> Vec<f32> {
    let mut targets = batch(noise, label);
    noise.draw_targets(moment(seed, step), &mut targets);
    targets.values
}

fn perturbed(noise: &AnyNoise, seed: u64, step: u64, theta: &Vector) -> Option<Vector> {
    moment(seed, step).draw_parameter_noise(noise.parameter_sigma(0.1)?, theta)
}

#[test]
fn strength_zero_changes_nothing() {
    let theta = Vector::from_host([vec![1.0, -2.0], vec![0.5]], &Device::flex(), DType::F32);
    for Contract { name, silent, .. } in contracts() {
        let clean: Vec<f32> = smoothed(0.0, 2).into_iter().map(|q| q as f32).collect();
        for step in 0..100 {
            assert_eq!(drawn(&silent, 1, step, 2), clean, "{name}");
            assert!(perturbed(&silent, 1, step, &theta).is_none(), "{name}");
        }
    }
}

#[test]
fn equal_seeds_give_equal_draws_and_steps_differ() {
    let theta = Vector::from_host([vec![0.0; 50]], &Device::flex(), DType::F32);
    let numbers = |v: Option<Vector>| v.map(|v| v.parts()[0].clone().try_into_vec_as::<f32>().expect("on the CPU"));
    for Contract { name, noise, .. } in contracts() {
        let sequence = |seed| (0..50).map(|step| drawn(&noise, seed, step, 1)).collect::<Vec<_>>();
        assert_eq!(sequence(1), sequence(1), "{name}");
        assert_eq!(sequence(1) != sequence(2), noise.randomises_targets(), "{name}");
        let perturbed = |seed, step| numbers(perturbed(&noise, seed, step, &theta));
        assert_eq!(perturbed(1, 7), perturbed(1, 7), "{name}");
        if perturbed(1, 7).is_some() {
            assert_ne!(perturbed(1, 7), perturbed(1, 8), "{name}");
            assert_ne!(perturbed(1, 7), perturbed(2, 7), "{name}");
        }
    }
}

/// Empirical mean and covariance of the drawn targets within 4 standard errors of the stated ones. The standard error of
/// a covariance entry is taken from the draws themselves.
#[test]
fn targets_have_the_stated_mean_and_covariance() {
    for Contract { name, noise, mean, covariance, .. } in contracts() {
        for label in [0, 3] {
            let clean: Vec<f64> = batch(&noise, label).values.into_iter().map(f64::from).collect();
            let mean = mean(&clean, label);
            let draws: Vec<Vec<f64>> =
                (0..DRAWS).map(|step| drawn(&noise, 9, step, label).into_iter().map(f64::from).collect()).collect();
            for c in 0..CLASSES {
                within(name, "mean", &draws, mean[c], |q| q[c]);
            }
            for (k, &expected) in covariance(&mean).iter().enumerate() {
                let (a, b) = (k / CLASSES, k % CLASSES);
                within(name, "covariance", &draws, expected, |q| (q[a] - mean[a]) * (q[b] - mean[b]));
            }
        }
    }
}

/// The mean of `f` over the draws is `expected` within 4 standard errors (and f32 rounding).
fn within(name: &str, what: &str, draws: &[Vec<f64>], expected: f64, f: impl Fn(&[f64]) -> f64) {
    let n = draws.len() as f64;
    let mean = draws.iter().map(|q| f(q)).sum::<f64>() / n;
    let variance = draws.iter().map(|q| (f(q) - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let allowed = 4.0 * (variance / n).sqrt() + 1e-6;
    assert!((mean - expected).abs() <= allowed, "{name}: {what} {mean}, stated {expected}, allowed ±{allowed:e}");
}

/// σ ξ with σ = 0.1: mean 0, variance σ², no correlation between neighbours or steps, within 4 standard errors.
#[test]
fn parameters_have_the_stated_mean_and_covariance() {
    let n = 200_000;
    let theta = Vector::from_host([vec![3.0; n]], &Device::flex(), DType::F32);
    let draw = |step| -> Vec<f64> {
        let moved = moment(5, step).draw_parameter_noise(0.1, &theta).expect("it is noisy");
        moved.parts()[0].clone().try_into_vec_as::<f64>().expect("on the CPU")
    };
    let (a, b) = (draw(0), draw(1));
    let (sigma, root) = (0.1, (n as f64).sqrt());
    let mean = |f: &dyn Fn(usize) -> f64| (0..n).map(f).sum::<f64>() / n as f64;
    assert!(mean(&|i| a[i]).abs() < 4.0 * sigma / root);
    assert!((mean(&|i| a[i] * a[i]) - sigma * sigma).abs() < 4.0 * 2f64.sqrt() * sigma * sigma / root);
    assert!(mean(&|i| a[i] * a[(i + 1) % n]).abs() < 4.0 * sigma * sigma / root);
    assert!(mean(&|i| a[i] * b[i]).abs() < 4.0 * sigma * sigma / root);
}

/// √(2η/λ) = √(2 · 0.02/4) = 0.1.
#[test]
fn temperature_of_langevin_dynamics() {
    assert_eq!(Langevin { inverse_temperature: 4.0 }.parameter_sigma(0.02), Some(0.1));
    assert_eq!(ParameterGaussian { sigma: 0.3 }.parameter_sigma(0.02), Some(0.3));
}

/// A smoothed loss is the expectation of the noisy one: the drawn target's mean is the smoothed target. Halved by the
/// schedule, both are.
#[test]
fn smoothing_is_the_mean_of_flipping() {
    let wrong = LabelFlip { probability: 0.2, to: FlipTo::Wrong };
    let uniform = LabelFlip { probability: 0.2, to: FlipTo::Uniform };
    assert_eq!(wrong.smoothing(10, 1.0), 0.2);
    assert_eq!(wrong.smoothing(10, 0.5), 0.1);
    assert!((uniform.smoothing(10, 1.0) - 0.18).abs() < 1e-15);
    let flips = |factor| {
        let kept = |step| {
            let mut targets = batch(&AnyNoise::from(NoNoise {}), 1);
            wrong.draw_targets(StepContext { seed: 3, step, factor, substream: 0 }, &mut targets);
            targets.values[1] == 1.0
        };
        (0..DRAWS).filter(|&step| !kept(step)).count() as f64 / DRAWS as f64
    };
    for (factor, p) in [(1.0, 0.2), (0.5, 0.1), (0.25, 0.05)] {
        assert!((flips(factor) - p).abs() < 4.0 * (p * (1.0 - p) / DRAWS as f64).sqrt(), "factor {factor}");
    }
}
