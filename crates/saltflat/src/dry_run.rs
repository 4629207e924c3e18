//! `--dry-run`: what a run would be.

use std::time::Instant;

use anyhow::Context;
use saltflat_metrics::Samples;
use saltflat_models::Vector;
use saltflat_train::{Chosen, MeasuredLoss, Plan, Trainer, measurement_cost};

/// Timed steps, after one that is not.
const STEPS: u32 = 3;

/// Prints the resolved configuration as TOML, and in comments its size and the time of an epoch from a few timed steps.
pub fn print(plan: &Plan, start: (Vector, Vector), device: &Chosen) -> anyhow::Result<()> {
    let config = plan.config.to_toml().context("the resolved configuration")?;
    println!("{config}");
    let layout = plan.network.layout();
    println!("# device: {} ({}): {}", device.name, device.backend, device.why);
    println!("# parameters: {} in {} tensors", layout.len(), layout.parameters.len());
    println!("# training samples: {}, of shape {:?}", plan.train.len(), plan.network.input());
    println!("# measured loss: {}", MeasuredLoss::of(plan));
    println!("# steps: {} of {} samples, {} an epoch", plan.steps, plan.batch_size, plan.steps_per_epoch);

    let mut trainer = Trainer::new(plan, start);
    let batch: Vec<u32> = (0..plan.batch_size as u32).collect();
    trainer.make_step(&batch);
    plan.device.sync().map_err(|e| anyhow::anyhow!("{e:?}"))?;
    let clock = Instant::now();
    for _ in 0..STEPS {
        trainer.make_step(&batch);
    }
    plan.device.sync().map_err(|e| anyhow::anyhow!("{e:?}"))?;
    let step = clock.elapsed().as_secs_f64() / f64::from(STEPS);
    let epoch = step * plan.steps_per_epoch as f64;
    let measurement = measurement_cost(plan, &plan.config.metrics) * step / plan.batch_size as f64;
    let epochs = plan.steps as f64 / plan.steps_per_epoch.max(1) as f64;
    let times = match plan.config.metrics.every_steps {
        Some(every) => plan.steps as f64 / every as f64,
        None => epochs / plan.config.metrics.every_epochs.max(1) as f64,
    };
    let ends = if plan.config.metrics.at_ends { 1.0 } else { 0.0 };
    let measurements = if measurement > 0.0 { times.floor() + ends } else { 0.0 };
    println!("# time: {} a step, {} an epoch ({STEPS} timed steps)", seconds(step), seconds(epoch));
    println!("# time: about {} a measurement (counted in gradients)", seconds(measurement));
    println!("# time: about {} in all", seconds(epoch * epochs + measurement * measurements));
    println!("# memory: {}", memory(plan));
    Ok(())
}

/// A time in the unit that suits it.
fn seconds(s: f64) -> String {
    match s {
        _ if s < 1.0 => format!("{:.0} ms", s * 1e3),
        _ if s < 120.0 => format!("{s:.1} s"),
        _ if s < 7200.0 => format!("{:.0} min", s / 60.0),
        _ if s < 172_800.0 => format!("{:.1} h", s / 3600.0),
        _ => format!("{:.1} days", s / 86_400.0),
    }
}

/// What the parameters take, and what the timed steps took at most.
fn memory(plan: &Plan) -> String {
    let mebibytes = |bytes: u64| bytes / (1 << 20);
    let vectors = 3 * plan.network.layout().len() as u64 * plan.dtype.size() as u64;
    let known = format!("{} MiB for parameters, gradient and momentum", mebibytes(vectors));
    if let Some(pool) = plan.device.memory_pool_usage() {
        return format!("{known}; device pool: {pool:?}");
    }
    match peak() {
        Some(bytes) => format!("{known}; {} MiB the whole process at most, in the timed steps", mebibytes(bytes)),
        None => known,
    }
}

/// Largest resident size of this process, where the system tells it.
pub fn peak() -> Option<u64> {
    size("VmHWM:")
}

/// Resident size of this process now, where the system tells it.
pub fn resident() -> Option<u64> {
    size("VmRSS:")
}

fn size(key: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with(key))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}
