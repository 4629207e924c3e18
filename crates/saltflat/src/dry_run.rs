//! `--dry-run`: what a run would be.

use std::time::Instant;

use anyhow::Context;
use saltflat_metrics::Samples;
use saltflat_models::Vector;
use saltflat_train::{Chosen, MeasuredLoss, Plan, TrainError, Trainer, measurement_cost};

/// Timed steps, after one that is not.
const STEPS: u32 = 3;

/// Prints the resolved configuration as TOML, and in comments its size and the time of an epoch from a few timed steps.
pub fn print(plan: &Plan, start: (Vector, Vector), device: &Chosen) -> anyhow::Result<()> {
    let config = plan.config.to_toml().context("the resolved configuration")?;
    outln!("{config}")?;
    let layout = plan.network.layout();
    outln!("# device: {} ({}): {}", device.name, device.backend, device.why)?;
    outln!("# parameters: {} in {} tensors", layout.len(), layout.parameters.len())?;
    outln!("# training samples: {}, of shape {:?}", plan.train.len(), plan.network.input())?;
    outln!("# measured loss: {}", MeasuredLoss::of(plan))?;
    outln!("# steps: {} of {} samples, {} an epoch", plan.steps, plan.batch_size, plan.steps_per_epoch)?;

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
    outln!("# time: {} a step, {} an epoch ({STEPS} timed steps)", seconds(step), seconds(epoch))?;
    outln!("# time: about {} a measurement (counted in gradients)", seconds(measurement))?;
    outln!("# time: about {} in all", seconds(epoch * epochs + measurement * measurements))?;
    outln!("# memory: {}", memory(plan))?;
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
    let known = format!(
        "{} MiB for parameters, gradient and momentum, {} MiB for the layers' outputs in a pass of {} samples",
        mebibytes(vectors),
        mebibytes(plan.pass_bytes() as u64),
        plan.microbatch()
    );
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

/// Memory of the machine, where the system tells it.
fn total() -> Option<u64> {
    entry("/proc/meminfo", "MemTotal:")
}

fn size(key: &str) -> Option<u64> {
    entry("/proc/self/status", key)
}

fn entry(file: &str, key: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}

/// Refuses a run on the CPU whose step, which is one pass because of batch normalisation, does not fit this machine: the system would end
/// the process without a word. Other networks take a batch in passes of `train.microbatch` samples.
///
/// # Errors
/// [`TrainError::Option`].
pub fn check_memory(plan: &Plan, device: &Chosen) -> Result<(), TrainError> {
    let (needed, total) = (plan.pass_bytes() as u64, total().unwrap_or(u64::MAX));
    if device.backend != "flex" || !plan.network.couples_samples() || needed <= total {
        return Ok(());
    }
    let gibibytes = |bytes: u64| bytes as f64 / f64::from(1 << 30);
    let reason = format!(
        "expected a batch that fits the memory in one pass, as batch normalisation needs it, got {} samples whose layers' outputs alone take \
         {:.0} GiB of {:.0} GiB; model.norm = \"group\" takes a batch in several passes",
        plan.batch_size,
        gibibytes(needed),
        gibibytes(total)
    );
    Err(TrainError::Option { option: "optimizer.batch_size", reason })
}
