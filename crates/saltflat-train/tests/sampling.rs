//! How batches are drawn, seen from a linear model, whose expected loss under each way of sampling is a finite sum.

mod support;

use burn::tensor::{DType, Device};
use saltflat_models::Vector;
use saltflat_train::{Plan, Trainer};
use support::read;

const N: usize = 6;
const BATCH: usize = 2;
const LR: f64 = 2e-3;
const STEPS: u64 = 2;

/// Linear regression of six digits, f(x) = w·x + b, in f64.
fn plan(sampling: &str, more: &[(&str, &str)]) -> Plan {
    let base = [
        ("data", "{kind = \"mnist-1k\", binary = true, limit = 6}"),
        ("model.hidden", "[]"),
        ("loss.kind", "square"),
        ("optimizer", "{lr = 2e-3, batch_size = 2}"),
        ("optimizer.sampling", sampling),
    ];
    let config = read(&[&base, more].concat()).expect("it is right");
    Plan::new(config, &Device::flex(), DType::F64).expect("it fits")
}

fn numbers(v: &Vector) -> Vec<f64> {
    v.parts().iter().flat_map(|t| t.clone().try_into_vec_as::<f64>().expect("on the CPU")).collect()
}

/// Inputs with a 1 for the bias, and targets.
fn samples(plan: &Plan) -> (Vec<Vec<f64>>, Vec<f64>) {
    let all: Vec<u32> = (0..N as u32).collect();
    let inputs = plan.train.inputs(&all, None).try_into_vec_as::<f64>().expect("on the CPU");
    let rows = inputs.chunks(inputs.len() / N).map(|row| row.iter().copied().chain([1.0]).collect()).collect();
    (rows, plan.train.targets(&all).values.iter().map(|&y| f64::from(y)).collect())
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn residuals(theta: &[f64], (inputs, targets): &(Vec<Vec<f64>>, Vec<f64>)) -> Vec<f64> {
    inputs.iter().zip(targets).map(|(x, y)| dot(theta, x) - y).collect()
}

/// e ← e − (η/B) Σ_{i∈S} K_i e_i with K = X Xᵀ: one step of SGD on the residuals.
fn step(kernel: &[Vec<f64>], residuals: &[f64], batch: u32) -> Vec<f64> {
    let inside = |i: &usize| batch >> i & 1 == 1;
    let moved = |j: usize| (0..N).filter(inside).map(|i| kernel[i][j] * residuals[i]).sum::<f64>();
    (0..N).map(|j| residuals[j] - LR / BATCH as f64 * moved(j)).collect()
}

/// E‖e‖² after two steps: the sum over all pairs of subsets, each with its probability.
fn expected(sampling: &str, kernel: &[Vec<f64>], start: &[f64]) -> f64 {
    let p = BATCH as f64 / N as f64;
    let probability = |first: u32, second: u32| {
        let (a, b) = (first.count_ones() as i32, second.count_ones() as i32);
        let pairs = a == BATCH as i32 && b == BATCH as i32;
        match sampling {
            // 15 subsets of two, and within an epoch 6 of the four samples that are left.
            "independent" => f64::from(u8::from(pairs)) / 225.0,
            "epoch" => f64::from(u8::from(pairs && first & second == 0)) / 90.0,
            _ => p.powi(a + b) * (1.0 - p).powi(2 * N as i32 - a - b),
        }
    };
    let mut sum = 0.0;
    for first in 0..1 << N {
        let after = step(kernel, start, first);
        for second in 0..1 << N {
            let weight = probability(first, second);
            if weight > 0.0 {
                let end = step(kernel, &after, second);
                sum += weight * dot(&end, &end);
            }
        }
    }
    sum
}

/// The mean of ‖e‖² over 2,000 seeds is within 4 standard errors of the sum over all batches. Independent batches leave a larger
/// residual than a permutation does, by more than the errors.
#[test]
fn mean_loss_of_a_linear_model_is_the_sum_over_all_batches() {
    let mut sums = Vec::new();
    for sampling in ["epoch", "independent", "bernoulli"] {
        let mut plan = plan(sampling, &[]);
        let data = samples(&plan);
        let kernel: Vec<Vec<f64>> = data.0.iter().map(|a| data.0.iter().map(|b| dot(a, b)).collect()).collect();
        let start = Trainer::random_start(&plan);
        let expected = expected(sampling, &kernel, &residuals(&numbers(&start.0), &data));
        let mut squares = Vec::new();
        for seed in 0..2000 {
            plan.config.run.seed = seed;
            let mut batches = plan.batches();
            let mut trainer = Trainer::new(&plan, start.clone());
            (0..STEPS).for_each(|step| trainer.make_step(&batches.batch(step)));
            let end = residuals(&numbers(trainer.theta()), &data);
            squares.push(dot(&end, &end));
        }
        let count = squares.len() as f64;
        let mean = squares.iter().sum::<f64>() / count;
        let variance = squares.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (count - 1.0);
        let error = (variance / count).sqrt();
        assert!((mean - expected).abs() < 4.0 * error, "{sampling}: {mean} ± {error}, expected {expected}");
        sums.push((expected, error));
    }
    let (permuted, error) = sums[0];
    for (independent, other) in &sums[1..] {
        assert!(independent - permuted > 8.0 * error.hypot(*other), "{sums:?} cannot be told apart");
    }
}

/// With Bernoulli sampling the sum over the batch is divided by B whatever its size: three samples move θ by 3/2 of their mean
/// gradient, none by momentum alone.
#[test]
fn bernoulli_batches_are_divided_by_the_expected_size() {
    let (mean, bernoulli) = (plan("epoch", &[]), plan("bernoulli", &[]));
    let start = Trainer::random_start(&mean);
    let moved = |plan: &Plan, batches: &[&[u32]]| -> Vec<f64> {
        let mut trainer = Trainer::new(plan, start.clone());
        batches.iter().for_each(|batch| trainer.make_step(batch));
        assert_eq!(trainer.steps(), batches.len() as u64);
        numbers(&trainer.theta().plus_scaled(-1.0, &start.0))
    };
    let near = |found: &[f64], expected: &[f64], factor: f64| {
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - factor * expected).abs() <= 1e-14 + 1e-12 * expected.abs(), "{found} {expected}");
        }
    };
    let single = moved(&mean, &[&[0, 3, 5]]);
    near(&moved(&bernoulli, &[&[0, 3, 5]]), &single, 1.5);
    near(&moved(&bernoulli, &[&[]]), &single, 0.0);
    // u ← βu + g: after a step and an empty one θ has moved by (1 + β) of the first step.
    let momentum = plan("bernoulli", &[("optimizer.momentum", "0.9")]);
    near(&moved(&momentum, &[&[0, 3, 5], &[]]), &single, 1.5 * 1.9);
}

#[test]
fn a_noise_that_needs_samples_refuses_batches_that_may_have_none() {
    let refused =
        read(&[("optimizer.sampling", "bernoulli"), ("noise", "{kind = \"minibatch\"}")]).expect_err("refused");
    assert!(
        refused.contains("optimizer.sampling: expected epoch or independent with the noise minibatch"),
        "{refused}"
    );
    let refused = read(&[("optimizer.sampling", "independant")]).expect_err("refused");
    assert!(refused.contains("did you mean independent?"), "{refused}");
}
