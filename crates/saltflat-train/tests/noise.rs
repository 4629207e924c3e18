//! Noise in the trainer: what is applied has the strength that was asked for, whatever the microbatches, and only then.

mod support;

use burn::tensor::{DType, Device};
use saltflat_models::Vector;
use saltflat_train::{EpochRow, MeasurementRow, Observer, Plan, TrainError, Trainer, config::Config};
use support::read;

const LR: f64 = 0.1;
const BATCH: usize = 20;
const STRENGTH: f64 = 0.01;

/// Every kind of noise but the two that have no strength: its keys with a strength of its own, and without.
const KINDS: [(&str, &str, &str); 11] = [
    ("label-flip", "probability = 0.2", "probability = 0.2"),
    ("label-noise", "sigma = 0.3", ""),
    ("logit-gaussian", "sigma = 0.1", ""),
    ("sgd-covariance", "batch_size = 5", ""),
    ("minibatch", "batch_size = 3", "batch_size = 3"),
    ("geometry-aware", "batch_size = 5", ""),
    (
        "isotropic",
        "like = {kind = \"sgd-covariance\", batch_size = 5}",
        "like = {kind = \"geometry-aware\", batch_size = 5}",
    ),
    ("diagonal", "like = {kind = \"label-flip\", probability = 0.2}", "like = {kind = \"minibatch\"}"),
    ("isotropic-loss-scaled", "sigma = 0.01", ""),
    ("parameter-gaussian", "sigma = 1e-3", ""),
    ("langevin", "inverse_temperature = 1e5", ""),
];

fn noise(kind: &str, keys: &str, more: &str) -> String {
    let keys: Vec<_> = [keys, more].into_iter().filter(|keys| !keys.is_empty()).collect();
    format!("{{kind = \"{kind}\"{}{}}}", if keys.is_empty() { "" } else { ", " }, keys.join(", "))
}

/// 1,000 digits, a network with 8 hidden units, which cannot learn them all: the minibatch noise does not die out; two groups of digits as 0 and 1 if the noise is for real targets.
fn config(noise: &str, more: &[(&str, &str)]) -> Config {
    let (data, loss) = match noise.contains("label-noise") {
        true => ("{kind = \"mnist-1k\", binary = true}", "square"),
        false => ("{kind = \"mnist-1k\"}", "cross_entropy"),
    };
    let base = [("data", data), ("loss.kind", loss), ("noise", noise), ("optimizer.batch_size", "20")];
    read(&[&base, more].concat()).unwrap_or_else(|e| panic!("{noise}: {e}"))
}

fn plan(noise: &str, more: &[(&str, &str)], dtype: DType) -> Plan {
    Plan::new(config(noise, more), &Device::flex(), dtype).expect("it fits")
}

fn batch(step: u64) -> Vec<u32> {
    (0..BATCH as u64).map(|i| ((step * 20 + i) * 7 % 1000) as u32).collect()
}

fn numbers(v: &Vector) -> Vec<f64> {
    v.parts().iter().flat_map(|t| t.clone().try_into_vec_as::<f64>().expect("on the CPU")).collect()
}

/// θ after this many steps from the random start.
fn after(plan: &Plan, steps: u64) -> Vec<f64> {
    let mut trainer = Trainer::new(plan, Trainer::random_start(plan));
    (0..steps).for_each(|step| trainer.make_step(&batch(step)));
    numbers(trainer.theta())
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

/// Over 1,000 steps of a trained network the mean of ‖ξ‖² is within 5 % of `noise.strength`. ξ is found from outside: the
/// same step from the same θ without the noise goes to θ − η g, with it to θ − η (g + ξ).
#[test]
fn achieved_strength() {
    for (kind, _, keys) in KINDS {
        let with = plan(&noise(kind, keys, &format!("strength = {STRENGTH}")), &[], DType::F32);
        let without = plan(&noise(kind, keys, "strength = 0"), &[], DType::F32);
        let mut trained = Trainer::new(&without, Trainer::random_start(&without));
        (0..500).for_each(|step| trained.make_step(&batch(step)));
        let mut trainer = Trainer::new(&with, (trained.theta().clone(), trained.buffers().clone()));
        let mut sum = 0.0;
        for step in 0..1000 {
            let start = (trainer.theta().clone(), trainer.buffers().clone());
            let mut plain = Trainer::new(&without, start);
            plain.make_step(&batch(step));
            trainer.make_step(&batch(step));
            sum += (distance(&numbers(trainer.theta()), &numbers(plain.theta())) / LR).powi(2);
        }
        let achieved = sum / 1000.0;
        assert!((achieved / STRENGTH - 1.0).abs() < 0.05, "{kind}: {achieved}, asked for {STRENGTH}");
    }
}

#[derive(Default)]
struct Rows(Vec<EpochRow>);

impl Observer for Rows {
    fn epoch(&mut self, row: &EpochRow) -> Result<(), TrainError> {
        self.0.push(row.clone());
        Ok(())
    }

    fn measurement(&mut self, _row: &MeasurementRow) -> Result<(), TrainError> {
        Ok(())
    }
}

fn rows(plan: &Plan) -> Vec<EpochRow> {
    let mut rows = Rows::default();
    let mut trainer = Trainer::new(plan, Trainer::random_start(plan));
    trainer.run(&mut rows, &|| false).expect("it runs");
    rows.0
}

/// 50 steps an epoch, measured at every other one. Factor ½ after six epochs is a quarter of the strength.
#[test]
fn rows_have_the_achieved_strength() {
    let schedule = "schedule = {kind = \"step-decay\", at_epochs = [6], factor = 0.5}";
    let strength = format!("strength = {STRENGTH}, strength_every = 2, {schedule}");
    let more = [("train.epochs", "12"), ("metrics.enabled", "false")];
    // The probability of flips falls too, and the running mean follows in 50 measurements.
    for (kind, _, keys) in KINDS.into_iter().filter(|(kind, ..)| *kind != "label-flip") {
        let rows = rows(&plan(&noise(kind, keys, &strength), &more, DType::F32));
        assert!(rows.iter().all(|row| row.noise_steps == 25), "{kind}");
        // The first epochs of training change the noise faster than the mean follows.
        for (epochs, target) in [(&rows[3..6], STRENGTH), (&rows[9..], STRENGTH / 4.0)] {
            let mean = epochs.iter().map(|row| row.noise_sq.expect("measured")).sum::<f64>() / epochs.len() as f64;
            // 75 measurements of a ‖ξ‖² that spreads as widely as its mean (single pairs: three times as widely).
            assert!((mean / target - 1.0).abs() < 0.35, "{kind}: {mean}, asked for {target}");
        }
    }
    let silent = rows(&plan("{kind = \"langevin\", inverse_temperature = 1e5}", &more, DType::F32));
    assert!(silent.iter().all(|row| row.noise_sq.is_none() && row.noise_steps == 0));
}

/// Parameter noise at strength s is N(0, η² s/p): with no warm-up of its own, E‖displacement/η‖² = s exactly. Own strengths
/// are measured in the same unit: p σ²/η², and p · 2/(λ η).
#[test]
fn parameter_noise_counts_as_gradient_noise() {
    let more = [("metrics.noise_strength", "true"), ("train.epochs", "1")];
    for (keys, expected) in [
        ("{kind = \"parameter-gaussian\", sigma = 1e-3}", 1e-6 / (LR * LR)),
        ("{kind = \"langevin\", inverse_temperature = 1e5}", 2e-5 / LR),
    ] {
        let plan = plan(keys, &more, DType::F32);
        let p = Trainer::random_start(&plan).0.len() as f64;
        let rows = rows(&plan);
        let mean = rows.iter().map(|row| row.noise_sq.expect("measured")).sum::<f64>() / rows.len() as f64;
        // 50 steps of χ² with p degrees of freedom, 5 standard errors.
        let allowed = 5.0 * (2.0 / (50.0 * p)).sqrt();
        assert!((mean / (p * expected) - 1.0).abs() < allowed, "{keys}: {mean}, expected {}", p * expected);
    }
}

/// A linear network f = W x on 20 samples with the square loss, whose gradients rᵢ xᵢ are made here from the inputs: tr Σ
/// of each noise through the whole trainer, with its own σ. θ stands still (η = 1e-9), so 2,000 steps are as many draws; 5
/// standard errors, from the draws.
#[test]
fn own_strength_through_the_network() {
    let more = [
        ("model", "{kind = \"linear-net\", hidden = []}"),
        ("data", "{kind = \"mnist-1k\", limit = 20, binary = true}"),
        ("loss.kind", "square"),
        ("optimizer.lr", "1e-9"),
    ];
    let plain = plan("{kind = \"none\"}", &more, DType::F64);
    let (theta, buffers) = Trainer::random_start(&plain);
    let indices: Vec<u32> = (0..20).collect();
    let x = plain.train.inputs(&indices, None).try_into_vec_as::<f64>().expect("on the CPU");
    let weights = numbers(&theta);
    let pixels = x.len() / 20;
    assert_eq!(weights.len(), pixels);
    let rows: Vec<Vec<f64>> = x.chunks(pixels).map(<[f64]>::to_vec).collect();
    let targets = plain.train.targets(&indices).values;
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let residuals: Vec<f64> = rows.iter().zip(targets).map(|(x, y)| dot(x, &weights) - f64::from(y)).collect();
    let loss = residuals.iter().map(|r| 0.5 * r * r).sum::<f64>() / 20.0;
    let gram = rows.iter().map(|x| dot(x, x)).sum::<f64>() / 20.0;
    let mean = |j: usize| rows.iter().zip(&residuals).map(|(x, r)| r * x[j]).sum::<f64>() / 20.0;
    let second = rows.iter().zip(&residuals).map(|(x, r)| r * r * dot(x, x)).sum::<f64>() / 20.0;
    let sgd = second - (0..pixels).map(|j| mean(j).powi(2)).sum::<f64>();
    let p = weights.len() as f64;
    for (keys, expected) in [
        ("{kind = \"label-noise\", sigma = 0.5}", 0.25 * gram / 20.0),
        ("{kind = \"logit-gaussian\", sigma = 0.5}", 0.25 * gram / 20.0),
        ("{kind = \"sgd-covariance\", batch_size = 5}", sgd / 5.0),
        ("{kind = \"minibatch\", sigma = 0.5, batch_size = 2}", 2.0 * 0.25 * sgd / 2.0),
        ("{kind = \"geometry-aware\", batch_size = 5}", 2.0 * loss * gram / 5.0),
        ("{kind = \"isotropic\", like = {kind = \"geometry-aware\", batch_size = 5}}", 2.0 * loss * gram / 5.0),
        ("{kind = \"diagonal\", like = {kind = \"sgd-covariance\", batch_size = 5}}", sgd / 5.0),
        ("{kind = \"isotropic-loss-scaled\", sigma = 0.1}", 2.0 * loss * 0.01 * p),
    ] {
        let noisy = plan(keys, &more, DType::F64);
        let mut trainer = Trainer::new(&noisy, (theta.clone(), buffers.clone()));
        let squares: Vec<f64> = (0..2000)
            .map(|_| {
                let mut without = Trainer::new(&plain, (trainer.theta().clone(), buffers.clone()));
                without.make_step(&indices);
                trainer.make_step(&indices);
                (distance(&numbers(trainer.theta()), &numbers(without.theta())) / 1e-9).powi(2)
            })
            .collect();
        let mean = squares.iter().sum::<f64>() / 2000.0;
        let variance = squares.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 1999.0;
        // θ moves by 1e-6 in all, and has 16 digits of which 9 are lost in the difference.
        let allowed = 5.0 * (variance / 2000.0).sqrt() + 1e-4 * expected;
        assert!((mean - expected).abs() < allowed, "{keys}: {mean}, expected {expected} ± {allowed}");
    }
}

/// The loss of a scale is counted from its floor, the entropy of the smoothed target: noise N(0, 2 σ² L I) with L the row's
/// running loss, 5 standard errors of χ² with p degrees of freedom; in microbatches too.
#[test]
fn loss_scaled_noise_is_counted_from_the_floor() {
    let more = [
        ("loss.smoothing", "0.5"),
        ("optimizer.batch_size", "full"),
        ("train.epochs", "1"),
        ("train.microbatch", "300"),
        ("metrics.noise_strength", "true"),
    ];
    let plan = plan("{kind = \"isotropic-loss-scaled\", sigma = 0.1}", &more, DType::F32);
    let p = Trainer::random_start(&plan).0.len() as f64;
    let row = &rows(&plan)[0];
    let expected = 2.0 * row.running_loss * 0.01 * p;
    let found = row.noise_sq.expect("measured");
    assert!((found / expected - 1.0).abs() < 5.0 * (2.0 / p).sqrt(), "{found}, expected {expected}");
}

/// In f64 the only difference is the order of sums.
#[test]
fn microbatches_change_nothing() {
    for (kind, own, keys) in KINDS {
        for keys in [noise(kind, own, ""), noise(kind, keys, "strength = 0.01, strength_every = 2")] {
            let whole = after(&plan(&keys, &[], DType::F64), 5);
            let cut = after(&plan(&keys, &[("train.microbatch", "7")], DType::F64), 5);
            assert!(distance(&whole, &cut) < 1e-10, "{keys}: {}", distance(&whole, &cut));
        }
    }
}

/// A σ, a strength or a schedule of 0 is plain SGD, bit for bit (for flips: on the smoothed loss, or none).
#[test]
fn strength_zero_is_plain() {
    let plain = after(&plan("{kind = \"none\"}", &[], DType::F32), 5);
    for keys in [
        "{kind = \"logit-gaussian\", sigma = 0}",
        "{kind = \"minibatch\", sigma = 0}",
        "{kind = \"isotropic-loss-scaled\", sigma = 0}",
        "{kind = \"parameter-gaussian\", sigma = 0}",
        "{kind = \"label-flip\", probability = 0}",
    ] {
        assert_eq!(after(&plan(keys, &[], DType::F32), 5), plain, "{keys}");
    }
    let smoothed = after(&plan("{kind = \"label-smoothing\", probability = 0.2}", &[], DType::F32), 5);
    for (kind, own, keys) in KINDS.into_iter().filter(|(kind, ..)| *kind != "label-noise") {
        let scaled = after(&plan(&noise(kind, keys, "strength = 0"), &[], DType::F32), 5);
        assert_eq!(&scaled, if kind == "label-flip" { &smoothed } else { &plain }, "{kind}");
        let warmup = "schedule = {kind = \"warmup-constant\", warmup_steps = 10}";
        let off = after(&plan(&noise(kind, own, warmup), &[], DType::F32), 1);
        assert_eq!(off, after(&plan("{kind = \"none\"}", &[], DType::F32), 1), "{kind} with factor 0");
    }
}

/// Measuring the strength is not setting it: θ is the same bit for bit, and so are two runs.
#[test]
fn measuring_changes_nothing() {
    for (kind, own, keys) in KINDS {
        let keys_of = noise(kind, own, "");
        let measured = after(&plan(&keys_of, &[("metrics.noise_strength", "true")], DType::F32), 5);
        assert_eq!(measured, after(&plan(&keys_of, &[], DType::F32), 5), "{kind}");
        let scaled = noise(kind, keys, "strength = 0.01");
        assert_eq!(after(&plan(&scaled, &[], DType::F32), 5), after(&plan(&scaled, &[], DType::F32), 5), "{kind}");
    }
}

/// g from two plain steps; the step with `sam` is θ − η ∇L(θ + ρ g/‖g‖).
#[test]
fn sharpness_aware_minimisation() {
    let (plain, rho) = (plan("{kind = \"none\"}", &[], DType::F64), 0.3);
    let sam = plan("{kind = \"none\"}", &[("optimizer.sam.rho", "0.3"), ("train.microbatch", "7")], DType::F64);
    let (theta, buffers) = Trainer::random_start(&plain);
    let gradient = |theta: &Vector| {
        let mut trainer = Trainer::new(&plain, (theta.clone(), buffers.clone()));
        trainer.make_step(&batch(0));
        theta.plus_scaled(-1.0, trainer.theta()).scale(1.0 / LR)
    };
    let g = gradient(&theta);
    let norm = numbers(&g).iter().map(|g| g * g).sum::<f64>().sqrt();
    let ascended = theta.plus_scaled(rho / norm, &g);
    let expected = theta.plus_scaled(-LR, &gradient(&ascended));
    assert!(distance(&after(&sam, 1), &numbers(&expected)) < 1e-10);
    assert!(distance(&numbers(&theta.plus_scaled(-LR, &g)), &numbers(&expected)) > 1e-4);
}
