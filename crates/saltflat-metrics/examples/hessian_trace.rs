//! Curvature of a network of one's own on data of one's own, on the CPU: `cargo run --release --example hessian_trace`.
//!
//! First of a linear least squares model, whose Hessian is known: the printed estimates can be compared with the exact numbers. Then
//! of a small network that is put together from layers. Last a metric that this crate does not have.

#[path = "support/least_squares.rs"]
mod support;

use std::error::Error;

use burn::tensor::{DType, Device};
use nalgebra::DMatrix;
use saltflat_metrics::{
    Curvature, CurvatureOperator, Estimate, LanczosOptions, MetricError, Objective, TraceOptions, gradient, lanczos,
    norm, trace,
};
use saltflat_models::{
    Init, Item, Network, Vector,
    layers::{Activation, LinearConfig},
};
use saltflat_random::{Key, Stream};
use support::LeastSquares;

/// Inputs of a sample.
const INPUTS: usize = 8;
/// Samples.
const N: usize = 200;

fn main() -> Result<(), Box<dyn Error>> {
    // Everything that is random is drawn under a key: equal keys give equal numbers. The inputs have the scales 1, ½, ⅓, …
    let normal: Vec<f64> = Key::new(1, Stream::Probe, 0).normal(N * INPUTS).into_iter().map(f64::from).collect();
    let row = |i: usize| std::array::from_fn(|j| normal[i * INPUTS + j] / (j + 1) as f64);
    let inputs: Vec<[f64; INPUTS]> = (0..N).map(row).collect();
    let targets: Vec<f64> = inputs.iter().map(|x| (2.0 * x[0]).sin() + x[1]).collect();

    let model = LeastSquares::new(&inputs, &targets);
    println!("linear least squares");
    print_curvature(&model.objective(), &model.weights)?;
    let x = DMatrix::from_fn(N, INPUTS, |i, j| inputs[i][j]);
    let hessian = x.transpose() * x / N as f64;
    let mut eigenvalues = hessian.symmetric_eigenvalues().as_slice().to_vec();
    eigenvalues.sort_by(|a, b| b.total_cmp(a));
    println!("  exactly: {:.6}, {:.6}, {:.6?}\n", hessian.trace(), hessian.norm(), &eigenvalues[..3]);

    // Two layers with tanh between them. A network holds shapes and names; its numbers are in a `Vector`.
    let uniform = Init::Uniform { bound: 0.5 };
    let linear = |name, outputs| Item::from(LinearConfig::new(outputs, uniform, Some(uniform))).named(name);
    let layers = [linear("first", 16), Activation::Tanh.into(), linear("second", 1)];
    let network = Network::from_layers(&layers, [INPUTS, 1, 1], 1)?;
    let (theta, buffers) = network.layout().init(7, &Device::flex(), DType::F64);
    let objective = Objective { network: &network, buffers: &buffers, ..model.objective() };
    println!("a network with {} parameters at a random point", theta.len());
    print_curvature(&objective, &theta)?;

    let step = gradient(&objective, &theta)?;
    println!("  gradient norm: {:.6}", norm(&step)?);
    println!("  largest loss of a sample: {}", text(&largest_loss(&objective, &theta)?));
    let moved = theta.plus_scaled(-0.1, &step);
    println!("  after a step of gradient descent with lr = 0.1: {}", text(&largest_loss(&objective, &moved)?));
    Ok(())
}

/// tr H, ‖H‖_F and the largest eigenvalues of H, each with its error.
fn print_curvature(objective: &Objective<'_>, theta: &Vector) -> Result<(), MetricError> {
    let hessian = CurvatureOperator::new(objective, theta, Curvature::Hessian);
    let found = trace(&hessian, &TraceOptions::hutchinson(64), Key::new(2, Stream::Probe, 0))?;
    println!("  tr H = {}", text(&found.trace));
    println!("  ‖H‖_F = {}", text(&found.frobenius));
    let options = LanczosOptions { largest: 3, smallest: 0, tolerance: 1e-6, ..LanczosOptions::default() };
    for (i, pair) in lanczos(&hessian, &options, &[], Key::new(2, Stream::Eigenvalue, 0))?.largest.iter().enumerate() {
        println!("  λ{} = {:.6}, within {:.0e} of an eigenvalue", i + 1, pair.value, pair.residual);
    }
    Ok(())
}

/// A metric of one's own: it walks over the samples as those of this crate do, a microbatch at a time.
fn largest_loss(objective: &Objective<'_>, theta: &Vector) -> Result<Estimate, MetricError> {
    let mut largest = f64::NEG_INFINITY;
    for batch in objective.batches() {
        let batch = batch?;
        let outputs = objective.network.value(theta, objective.buffers, batch.inputs);
        let losses = objective.loss.value(outputs, batch.targets);
        largest = largest.max(losses.max().into_scalar::<f64>());
    }
    Ok(Estimate::exact(largest))
}

/// A value with its standard error, or why there is none.
fn text(estimate: &Estimate) -> String {
    match (estimate.value, estimate.std_error) {
        (Some(value), Some(error)) => format!("{value:.6} ± {error:.6}"),
        (Some(value), None) => format!("{value:.6}"),
        (None, _) => format!("no value: {}", estimate.reason.as_deref().unwrap_or_default()),
    }
}
