//! `saltflat train`.

use std::{
    path::Path,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use anyhow::Context;
use burn::tensor::DType;
use saltflat_train::{
    Chosen, Outcome, Plan, RunFolder, TrainError, Trainer, choose, config::Purpose, load_start, save_checkpoint,
};

use crate::{args::TrainArgs, dry_run, reporter::Reporter};

/// Interrupted by a signal, by convention 128 + SIGINT.
const INTERRUPTED: u8 = 130;
const DIVERGED: u8 = 3;

/// Runs the command; bad input is a [`TrainError`].
pub fn run(args: &TrainArgs) -> anyhow::Result<ExitCode> {
    let config = args.common.read(&args.config, Purpose::Train)?;
    let out = args.out.clone().unwrap_or_else(|| Path::new("results").join(&config.run.name));
    if out.exists() && !args.dry_run {
        return Err(TrainError::Exists(out).into());
    }
    let device = choose(&args.common.device)?;
    let plan = Plan::new(config, &device.device, DType::F32)?;
    let start = match &plan.config.train.init {
        None => Trainer::random_start(&plan),
        Some(path) => load_start(path, &plan)?,
    };
    if args.dry_run {
        dry_run::print(&plan, start, &device)?;
        return Ok(ExitCode::SUCCESS);
    }
    train(&plan, start, &device, &out)
}

fn train(
    plan: &Plan,
    start: (saltflat_models::Vector, saltflat_models::Vector),
    device: &Chosen,
    out: &Path,
) -> anyhow::Result<ExitCode> {
    let stop = Arc::new(AtomicBool::new(false));
    let handler = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        // The first signal ends the run after its step, a second one at once.
        if handler.swap(true, Ordering::SeqCst) {
            std::process::exit(i32::from(INTERRUPTED));
        }
    })
    .context("cannot listen for signals")?;

    let folder = RunFolder::create(out, plan, device, &features())?;
    let mut reporter = Reporter::new(folder, plan, device);
    let clock = Instant::now();
    let mut trainer = Trainer::new(plan, start);
    let result = trainer.run(&mut reporter, &|| stop.load(Ordering::SeqCst), &mut |trainer| {
        save_checkpoint(out, plan, trainer).map(drop)
    });
    let steps = trainer.steps();
    let outcome = match result {
        Ok(outcome) => outcome,
        Err(error) => {
            // The status is best effort: the error itself is what the person must see.
            let _ = reporter.folder().status("failed", Some(&error.to_string()), steps);
            return Err(error.into());
        }
    };
    let (status, reason, code) = match &outcome {
        Outcome::Finished(reason) => ("finished", reason.clone(), 0),
        Outcome::Diverged(reason) => ("diverged", reason.clone(), DIVERGED),
        Outcome::Interrupted => ("interrupted", format!("asked to stop after step {steps}"), INTERRUPTED),
    };
    let checkpoint = match outcome {
        Outcome::Diverged(_) => None,
        _ => Some(save_checkpoint(out, plan, &trainer)?),
    };
    reporter.folder().status(status, Some(&reason), steps)?;
    reporter.end(status, &reason, checkpoint.as_deref(), clock.elapsed())?;
    Ok(ExitCode::from(code))
}

/// Features of this build, for `env.json`.
fn features() -> Vec<&'static str> {
    [("wgpu", cfg!(feature = "wgpu")), ("fusion", cfg!(feature = "fusion")), ("autotune", cfg!(feature = "autotune"))]
        .into_iter()
        .filter_map(|(name, on)| on.then_some(name))
        .collect()
}
