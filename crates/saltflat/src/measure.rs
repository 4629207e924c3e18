//! `saltflat measure`.

use std::{path::Path, process::ExitCode};

use anyhow::Context;
use burn::tensor::DType;
use saltflat_kernels::init_thread_pool;
use saltflat_metrics::{Objective, Samples, self_check};
use saltflat_random::{Key, Stream};
use saltflat_record::metric::{self, Origin};
use saltflat_train::{
    DeviceChoice, DeviceInfo, MeasuredVectors, Measurement, MeasurementPoint, Measurer, Memory, Plan, TrainError,
    choose_device, config::Purpose, load_start, load_update, measurement_cost, start_notes,
};
use serde_json::{Value, json};

use crate::{
    args::{MeasureArgs, Precision},
    output,
    selected_metrics::selected_metrics,
    slices,
    table::{self, number},
};

const SCHEMA: u64 = 1;

const CHECK_SAMPLES: usize = 32;

pub fn run(args: &MeasureArgs) -> anyhow::Result<ExitCode> {
    if args.metrics.iter().any(|name| name == "help") {
        for group in metric::groups_from(Origin::Measurement) {
            let names: Vec<&str> = group.selectable().map(|metric| metric.name).collect();
            outln!("{}: {}", group.name, names.join(", "))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let split: Vec<(String, String)> =
        args.split.iter().map(|split| ("metrics.split".to_string(), split.clone())).collect();
    let mut config = args.common.read_with(&args.config, Purpose::Measure, &split)?;
    let device = measuring_device(args)?;
    for (old, new) in &args.rename {
        config.train.rename.insert(old, new).map_err(|reason| TrainError::Option { option: "--rename", reason })?;
    }
    if device.backend == "cuda" {
        device.check_supports(config.train.precision)?;
    }
    let dtype = match args.precision {
        Precision::F32 if !args.check => DType::F32,
        _ => DType::F64,
    };
    let mut notes = Vec::from_iter(init_thread_pool());
    let mut plan = Plan::new(config, &device.device, dtype)?;
    plan.config.metrics = selected_metrics(args, &plan)?;
    let (theta, buffers) = load_start(&args.weights, &plan)?;
    let update = load_update(&args.weights, &plan)?;
    let point = MeasurementPoint { theta: &theta, buffers: &buffers, update: update.as_ref(), step: 0 };
    notes.extend(device.note());
    notes.extend_from_slice(&plan.notes);
    let others = args.slice.iter().filter(|name| slices::leads_to_weights(name)).map(Path::new);
    for weights in std::iter::once(args.weights.as_path()).chain(others) {
        notes.extend(start_notes(weights, &plan)?);
    }
    notes.iter().for_each(|note| errln!("note: {note}"));
    print_plan(&plan, &device, args);
    if args.check {
        return check(&plan, point);
    }
    if let Some(folder) = &args.vectors {
        // What was measured is not to be lost for a folder that cannot be made.
        std::fs::create_dir_all(folder).with_context(|| format!("--vectors {}", folder.display()))?;
    }
    let mut measurer = Measurer::default();
    let mut found = measurer.measure(&plan, &plan.config.metrics, point)?;
    if !args.slice.is_empty() {
        let slice = slices::measure(args, &plan, point)?;
        found.put(&metric::LOSS_SLICE, slice);
    }
    if let Some(folder) = &args.plots {
        for path in slices::draw(folder, &plan, &found.metrics)? {
            errln!("{}", path.display());
        }
    }
    if let Some(folder) = &args.vectors {
        for path in found.vectors.write(folder, plan.network.layout(), &MeasuredVectors::about(&plan))? {
            errln!("{}", path.display());
        }
    }
    match args.json.as_deref() {
        None => output::data(format_args!("{}", table::of_measurement(&plan, &found)))?,
        Some(file) => {
            let text = serde_json::to_string_pretty(&report(&plan, &device, &found))? + "\n";
            match file == Path::new("-") {
                true => output::data(format_args!("{text}"))?,
                false => saltflat_record::write_named(file, text.as_bytes())?,
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// f64 is a matter of the CPU.
fn measuring_device(args: &MeasureArgs) -> Result<DeviceInfo, TrainError> {
    if args.precision == Precision::F32 && !args.check {
        return choose_device(&args.common.device);
    }
    match args.common.device {
        DeviceChoice::Auto | DeviceChoice::Cpu => choose_device(&DeviceChoice::Cpu),
        _ => Err(TrainError::Option {
            option: if args.check { "--check" } else { "--precision f64" },
            reason: "expected --device cpu: GPUs calculate with 32 bits here".into(),
        }),
    }
}

/// The plan, on stderr.
fn print_plan(plan: &Plan, device: &DeviceInfo, args: &MeasureArgs) {
    let config = &plan.config.metrics;
    let memory = Memory::new(plan, config);
    let n = plan.measured_samples().len();
    errln!(
        "{}: {} parameters, {} outputs, {} of {n} {} samples, on {} ({}), {}",
        args.weights.display(),
        plan.network.layout().len(),
        plan.network.outputs(),
        config.samples.unwrap_or(n),
        plan.measured_split().in_words(),
        device.name,
        device.backend,
        if plan.dtype == DType::F64 { "f64" } else { "f32" },
    );
    errln!(
        "plan: {}; {} samples a pass, {} probes at once, {} MiB for vectors or {} for cotangents; about {} gradients of one sample",
        match config.groups().as_slice() {
            [] => "no metric".to_string(),
            groups => groups.join(", "),
        },
        memory.microbatch,
        memory.directions_per_pass,
        memory.vectors >> 20,
        memory.cotangents >> 20,
        number(measurement_cost(plan, config)),
    );
}

fn report(plan: &Plan, device: &DeviceInfo, found: &Measurement) -> Value {
    let optimizer = &plan.config.optimizer;
    json!({
        "schema": SCHEMA,
        "n": found.curvature_samples,
        "p": plan.network.layout().len(),
        "outputs": plan.network.outputs(),
        "training_samples": plan.train.len(),
        "split": plan.measured_split(),
        "measured_loss": plan.recorded_loss(),
        "alignment_samples": found.alignment_samples,
        "lr": optimizer.lr,
        "momentum": optimizer.momentum,
        "batch_size": plan.batch_size,
        "seed": plan.config.run.seed,
        "precision": if plan.dtype == DType::F64 { "f64" } else { "f32" },
        "device": device.name,
        "version": env!("CARGO_PKG_VERSION"),
        "peak_bytes": crate::dry_run::peak(),
        "metrics": found.metrics,
        "costs": found.costs,
    })
}

/// `--check`: exit code 1 if a check fails.
fn check(plan: &Plan, point: MeasurementPoint<'_>) -> anyhow::Result<ExitCode> {
    let samples = plan.config.metrics.samples.unwrap_or(CHECK_SAMPLES).min(plan.measured_samples().len());
    let memory = Memory::new(plan, &plan.config.metrics);
    let all_samples = plan.measured_samples();
    let all = Objective::on_all(
        &plan.network,
        point.buffers,
        plan.measured_loss(),
        &all_samples,
        memory.microbatch.min(samples.div_ceil(2)),
    )
    .with_weight_decay(plan.measured_weight_decay());
    let objective = all.on((0..samples as u32).collect());
    let checks = self_check(&objective, point.theta, Key::new(plan.config.run.seed, Stream::Probe, 0))
        .map_err(TrainError::from)?;
    for check in &checks {
        let verdict = match (&check.skipped, check.passed()) {
            (Some(reason), _) => format!("not made: {reason}"),
            (None, true) => format!("ok      {:.1e} (at most {:.0e})", check.difference, check.tolerance),
            (None, false) => format!("FAILED  {:.1e} (at most {:.0e})", check.difference, check.tolerance),
        };
        outln!("{:<52} {verdict}", check.name)?;
    }
    Ok(if checks.iter().all(saltflat_metrics::Check::passed) { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
