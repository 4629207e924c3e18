//! `--dry-run`: what a run would be.

use anyhow::Context;
use saltflat_metrics::Samples;
use saltflat_models::Vector;
use saltflat_train::{Counts, DeviceInfo, Plan, Times, TrainError, config::Config};

/// Seconds for which a step is timed at most, and twice those of a group of a measurement.
const BUDGET: f64 = 1.0;

/// Prints the resolved configuration as TOML, and in comments its size and its time, from steps and measurements that are timed.
pub fn print(plan: &Plan, start: (Vector, Vector), device: &DeviceInfo) -> anyhow::Result<()> {
    let config = plan.config.to_toml().context("the resolved configuration")?;
    outln!("{config}")?;
    let layout = plan.network.layout();
    outln!("# device: {} ({}): {}", device.name, device.backend, device.why)?;
    outln!("# parameters: {} in {} tensors", layout.len(), layout.parameters.len())?;
    outln!("# training samples: {}, of shape {:?}", plan.train.len(), plan.network.input())?;
    outln!("# measured loss: {}", plan.recorded_loss())?;
    outln!("# steps: {} of {} samples, {} an epoch", plan.steps, plan.batch_size, plan.steps_per_epoch)?;

    let times = Times::measure(plan, &start, BUDGET)?;
    let counts = Counts::new(&plan.config, plan.steps, plan.steps_per_epoch);
    for line in time_lines(&times, &counts, plan.steps_per_epoch) {
        outln!("# time: {line}")?;
    }
    let upper = if may_end_early(&plan.config) { " at most: it may reach its goal sooner" } else { "" };
    outln!("# time: about {} in all{upper}", seconds(times.total(&counts)))?;
    outln!("# memory: {}", memory(plan))?;
    Ok(())
}

/// What the parts of a run take, a line each.
fn time_lines(times: &Times, counts: &Counts, steps_per_epoch: u64) -> Vec<String> {
    let steps = counts.steps as f64;
    let step = times.of_steps(counts) / steps.max(1.0);
    let mut lines = vec![format!(
        "{} for {} steps: {} a step, {} an epoch",
        seconds(times.of_steps(counts)),
        counts.steps,
        seconds(step),
        seconds(step * steps_per_epoch as f64)
    )];
    for (group, each) in &times.groups {
        let count = counts.groups.get(group).copied().unwrap_or(0);
        lines.push(format!(
            "{} for {group}: {} a measurement, {count} measurements",
            seconds(count as f64 * each),
            seconds(*each)
        ));
    }
    lines
}

/// True if a goal may end the run before its last step.
pub fn may_end_early(config: &Config) -> bool {
    config.train.stop_loss.is_some() || config.train.stop_accuracy.is_some()
}

pub fn seconds(s: f64) -> String {
    match s {
        _ if s < 0.01 => format!("{:.2} ms", s * 1e3),
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

/// Largest resident size of this process, if the system tells it.
pub fn peak() -> Option<u64> {
    proc_bytes("/proc/self/status", "VmHWM:")
}

/// The bytes of an entry of a file in `/proc` that counts kB, if the system has it.
pub fn proc_bytes(file: &str, key: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}

/// Refuses a run on the CPU whose step, which is one pass because of batch normalisation, does not fit this machine: the system would end
/// the process without a word. Other networks take a batch in passes of `train.microbatch` samples.
///
/// # Errors
/// [`TrainError::Option`].
pub fn check_memory(plan: &Plan, device: &DeviceInfo) -> Result<(), TrainError> {
    let (needed, total) = (plan.pass_bytes() as u64, proc_bytes("/proc/meminfo", "MemTotal:").unwrap_or(u64::MAX));
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
