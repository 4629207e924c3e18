//! `saltflat train`.

use std::{cell::Cell, path::Path, process::ExitCode, time::Instant};

use burn::tensor::DType;
use saltflat_folder::Status;
use saltflat_train::{Outcome, Plan, Resumed, RunFolder, TrainError, Trainer, choose, config::Purpose, resume, start};

use crate::{
    args::TrainArgs,
    dry_run,
    plain::plain,
    reporter::Reporter,
    signals::{Cause, Stop},
};

const DIVERGED: u8 = 3;

/// Runs the command; bad input is a [`TrainError`].
pub fn run(args: &TrainArgs) -> anyhow::Result<ExitCode> {
    match (&args.resume, &args.config) {
        (Some(run), _) => go_on(args, run),
        (None, Some(config)) => begin(args, config),
        (None, None) => Ok(ExitCode::FAILURE), // The command line asks for one of them.
    }
}

/// A new run.
fn begin(args: &TrainArgs, config: &Path) -> anyhow::Result<ExitCode> {
    let config = args.common.read(config, Purpose::Train)?;
    let out = args.out.clone().unwrap_or_else(|| Path::new("results").join(&config.run.name));
    if out.exists() && !args.dry_run {
        return Err(TrainError::Exists(out).into());
    }
    let stop = Stop::listen(args.time_limit)?;
    let device = choose(&args.common.device)?;
    let plan = Plan::new(config, &device.device, DType::F32)?;
    let weights = start(&plan)?;
    if args.dry_run {
        dry_run::print(&plan, weights, &device)?;
        return Ok(ExitCode::SUCCESS);
    }
    let folder = RunFolder::create(&out, &plan, &device, &features())?;
    train(Trainer::new(&plan, weights), Reporter::new(folder, &plan, &device), &stop)
}

/// A run that was stopped, by whatever it was.
fn go_on(args: &TrainArgs, run: &Path) -> anyhow::Result<ExitCode> {
    let mut folder = RunFolder::open(run)?;
    let status = Status::read(run);
    let reason = status.as_ref().and_then(|status| status.reason.clone()).unwrap_or_default();
    match status.as_ref().map(|status| status.status.as_str()) {
        Some("finished") => {
            eprintln!("{} is finished: {}", run.display(), plain(&reason));
            return Ok(ExitCode::SUCCESS);
        }
        Some("diverged") => {
            eprintln!("{} diverged and would again: {}", run.display(), plain(&reason));
            return Ok(ExitCode::from(DIVERGED));
        }
        _ => {}
    }
    let stop = Stop::listen(args.time_limit)?;
    let config = args.common.read(&run.join("config.toml"), Purpose::Train)?;
    let device = choose(&args.common.device)?;
    let plan = Plan::new(config, &device.device, DType::F32)?;
    let Resumed { trainer, skipped } = resume(run, &plan)?;
    let before = folder.go_on(&trainer, &device, &features())?;
    let mut reporter = Reporter::new(folder, &plan, &device);
    skipped.iter().for_each(|text| reporter.say(text));
    reporter.resumed(trainer.steps(), &before);
    train(trainer, reporter, &stop)
}

fn train(mut trainer: Trainer<'_>, mut reporter: Reporter, stop: &Stop) -> anyhow::Result<ExitCode> {
    let clock = Instant::now();
    let cause = Cell::new(None);
    let asked = || {
        cause.set(stop.cause());
        cause.get().is_some()
    };
    let result = trainer.run(&mut reporter, &asked);
    let steps = trainer.steps();
    let outcome = match result {
        Ok(outcome) => outcome,
        Err(error) => {
            // The status is best effort: the error itself is what the person must see.
            let _ = reporter.folder().status(&Status::new("failed", Some(&error.to_string()), steps));
            return Err(error.into());
        }
    };
    let cause = cause.get().unwrap_or(Cause::Interrupt);
    let (name, reason, code) = match outcome {
        Outcome::Finished(reason) => ("finished", reason, 0),
        Outcome::Diverged(reason) => ("diverged", reason, DIVERGED),
        Outcome::Interrupted => {
            ("interrupted", format!("stopped by {} after step {steps}", cause.name()), cause.exit_code())
        }
    };
    let requeue = name == "interrupted" && cause.is_requeue();
    reporter.folder().status(&Status { requeue, ..Status::new(name, Some(&reason), steps) })?;
    reporter.end(name, &reason, clock.elapsed());
    Ok(ExitCode::from(code))
}

/// Features of this build, for `env.json`.
fn features() -> Vec<&'static str> {
    [("wgpu", cfg!(feature = "wgpu")), ("fusion", cfg!(feature = "fusion")), ("autotune", cfg!(feature = "autotune"))]
        .into_iter()
        .filter_map(|(name, on)| on.then_some(name))
        .collect()
}
