//! `saltflat train`.

use std::{cell::Cell, path::Path, process::ExitCode, time::Instant};

use burn::tensor::DType;
use saltflat_kernels::init_thread_pool;
use saltflat_record::{FolderError, Status};
use saltflat_train::{
    ConfigChanges, DeviceInfo, Observer, Outcome, Plan, RunFolder, SavedRun, TrainError, Trainer, choose_device,
    config::{Config, Purpose},
    start, start_notes,
};

use crate::{
    args::{Common, TrainArgs},
    dry_run, faults,
    reporter::Reporter,
    signals::{Cause, Stop},
    tensorboard::EventFiles,
    version::build_features,
};

const DIVERGED: u8 = 3;

pub fn run(args: &TrainArgs) -> anyhow::Result<ExitCode> {
    match (&args.resume, &args.config) {
        (Some(run), _) => resume(args, run),
        (None, Some(config)) => begin(args, config),
        (None, None) => Ok(ExitCode::FAILURE), // The command line asks for one of them.
    }
}

fn begin(args: &TrainArgs, config: &Path) -> anyhow::Result<ExitCode> {
    let precision = args.precision.as_ref().map(|name| ("train.precision".to_string(), format!("\"{name}\"")));
    let config = args.common.read_with(config, Purpose::Train, precision.as_slice())?;
    let out = args.out.clone().unwrap_or_else(|| Path::new("results").join(&config.run.name));
    if !args.dry_run && is_there(&out)? {
        return Err(TrainError::Exists(out).into());
    }
    // A dry run saves nothing: a signal does what it does by default.
    let stop = if args.dry_run { None } else { Some(listen(args)?) };
    let mut notes = Vec::from_iter(init_thread_pool());
    let (plan, device) = plan(config, args)?;
    let weights = start(&plan)?;
    notes.extend(device.note());
    notes.extend_from_slice(&plan.notes);
    if let Some(init) = &plan.config.train.init {
        notes.extend(start_notes(init, &plan)?);
    }
    let Some(stop) = stop else {
        notes.iter().for_each(|note| errln!("note: {note}"));
        dry_run::print(&plan, weights, &device)?;
        return Ok(ExitCode::SUCCESS);
    };
    stop.prepared(checkpoint_bytes(&plan));
    let folder = RunFolder::create(&out, &plan, &device, &build_features())?;
    let reporter = Reporter::new(&folder, &plan, &device);
    let messages = reporter.messages();
    let events = EventFiles::open(&plan, &folder, messages, None);
    notes.iter().for_each(|note| messages.say(&format!("note: {note}")));
    train(Trainer::new(&plan, weights), reporter, events, &stop, args)
}

/// False only if there is definitely nothing at this path.
fn is_there(path: &Path) -> Result<bool, TrainError> {
    Ok(path.try_exists().map_err(FolderError::at(path))?)
}

/// Bytes of a checkpoint, about: weights, momentum, update, and the eigenvectors from which a search starts.
fn checkpoint_bytes(plan: &Plan) -> u64 {
    let metrics = &plan.config.metrics;
    let eigenvectors = metrics.eigenvalues.as_ref().map(|eigenvalues| eigenvalues.largest);
    let deflated = metrics.spectrum.as_ref().map(|spectrum| spectrum.deflate);
    let parameters = plan.network.layout().len() as u64;
    let searched = eigenvectors.max(deflated).unwrap_or(0) as u64;
    (3 + searched.min(parameters)).saturating_mul(parameters).saturating_mul(plan.dtype.size() as u64)
}

/// What ends the run before its end.
fn listen(args: &TrainArgs) -> anyhow::Result<Stop> {
    let stop = Stop::listen_while_preparing(args.time_limit)?;
    if args.stop_at_end_of_input {
        stop.at_end_of_input()?;
    }
    Ok(stop)
}

/// A run that was stopped, by whatever it was, or that is finished and is to go on for longer.
fn resume(args: &TrainArgs, run: &Path) -> anyhow::Result<ExitCode> {
    let mut folder = RunFolder::open(run)?;
    let status = Status::read(run).map_err(TrainError::from)?;
    let reason = status.as_ref().and_then(|status| status.reason.clone()).unwrap_or_default();
    let name = status.as_ref().map(|status| status.status.as_str());
    if name == Some("diverged") {
        errln!("{} diverged and would again: {reason}", run.display());
        return Ok(ExitCode::from(DIVERGED));
    }
    let is_finished = name == Some("finished");
    let stop = listen(args)?;
    let mut notes = Vec::from_iter(init_thread_pool());
    // What the run says of itself stays as it is if the command line or a finished run is refused.
    let note = |folder: &RunFolder, error: TrainError| {
        if !is_finished && args.common.set.is_empty() {
            let step = status.as_ref().map_or(0, |status| status.step);
            // The status is best effort: the error itself is what the person must see.
            let _ = folder.status(&Status::new("failed", Some(&error.to_string()), step));
        }
        error
    };
    let finished = || {
        let how = "more train.epochs (--set train.epochs=N) or train.steps make it go on (of both, the one that ends first counts), and so does another stop_ condition";
        errln!("{} is finished: {reason}; {how}", run.display());
        Ok(ExitCode::SUCCESS)
    };
    let (config, saved, changes) = reopen(args, run, is_finished).map_err(|e| note(&folder, e))?;
    if is_finished && !changes.moves_the_end() {
        return finished();
    }
    let (plan, device) = plan(config, args).map_err(|e| note(&folder, e))?;
    let resumed = saved.resume(&plan, changes).map_err(|e| note(&folder, e))?;
    if is_finished && resumed.trainer.finish_reason().is_some() {
        return finished();
    }
    stop.prepared(checkpoint_bytes(&plan));
    let report = folder.resume(&resumed, &device, &build_features());
    let report = report.map_err(|e| note(&folder, e))?;
    let mut reporter = Reporter::new(&folder, &plan, &device);
    notes.extend(device.note());
    notes.extend_from_slice(&plan.notes);
    notes.iter().for_each(|note| reporter.messages().say(&format!("note: {note}")));
    resumed.skipped.iter().for_each(|text| reporter.messages().say(text));
    let step = resumed.trainer.steps();
    reporter.resume(step, &report, &resumed.config_changes);
    let events = EventFiles::open(&plan, &folder, reporter.messages(), Some((step, &report.rows)));
    train(resumed.trainer, reporter, events, &stop, args)
}

/// The configuration that a run is to go on with, and where it was saved last.
fn reopen(args: &TrainArgs, run: &Path, is_finished: bool) -> Result<(Config, SavedRun, ConfigChanges), TrainError> {
    let path = run.join("config.toml");
    let config = args.common.read(&path, Purpose::Train)?;
    let in_folder = Common { set: Vec::new(), ..args.common.clone() }.read(&path, Purpose::Train)?;
    let saved = SavedRun::find(run)?;
    let changes = saved.config_changes(&in_folder, &config)?;
    if is_finished && changes.moves_the_end() && !saved.has_checkpoint() {
        let reason = "it is finished and has no whole checkpoint to go on from".into();
        return Err(TrainError::Resume { path: run.into(), reason });
    }
    Ok((config, saved, changes))
}

fn plan(config: Config, args: &TrainArgs) -> Result<(Plan, DeviceInfo), TrainError> {
    let device = choose_device(&args.common.device)?;
    device.check_supports(config.train.precision)?;
    let plan = Plan::new(config, &device.device, DType::F32)?;
    dry_run::check_memory(&plan, &device)?;
    Ok((plan, device))
}

fn train(
    mut trainer: Trainer<'_>,
    mut reporter: Reporter<'_>,
    mut events: EventFiles<'_>,
    stop: &Stop,
    args: &TrainArgs,
) -> anyhow::Result<ExitCode> {
    let clock = Instant::now();
    let cause = Cell::new(None);
    let asked = || {
        cause.set(stop.cause());
        cause.get().is_some()
    };
    let mut folder = reporter.folder();
    // A row is in the folder before anything else shows it.
    let mut observers: [&mut dyn Observer; 3] = [&mut folder, &mut events, &mut reporter];
    let result = faults::caught(|| trainer.run(&mut observers, &asked));
    let outcome = match result {
        Ok(outcome) => outcome,
        Err(error) => return failed(error, &trainer, &reporter, stop, args),
    };
    let steps = trainer.steps();
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

/// A run that failed: its folder says so and how it goes on. Where the device has no memory left, the program starts itself
/// again from the last checkpoint, with passes of half as many samples.
fn failed(
    error: TrainError,
    trainer: &Trainer<'_>,
    reporter: &Reporter<'_>,
    stop: &Stop,
    args: &TrainArgs,
) -> anyhow::Result<ExitCode> {
    let (plan, steps) = (trainer.plan(), trainer.steps());
    let root = reporter.folder().root().to_path_buf();
    let no_memory = error.is_out_of_memory();
    let mut reason = match &error {
        TrainError::Training(said) => TrainError::Training(faults::root_cause(said)).to_string(),
        _ => error.to_string(),
    };
    if no_memory {
        reason += &match plan.network.couples_samples() {
            true => format!(
                "; a step is one pass of {} samples, since batch normalisation takes their statistics (a smaller optimizer.batch_size or \
                 model.norm = \"group\" takes less)",
                plan.microbatch()
            ),
            false => format!("; a pass of a step has {} samples (train.microbatch)", plan.microbatch()),
        };
        if let Some(pool) = faults::pool(&plan.device) {
            reason += &format!(", the device's pool: {pool}");
        }
    }
    // The status is best effort: the error itself is what the person must see.
    let _ = reporter.folder().status(&Status::new("failed", Some(&reason), steps));
    let resume = format!("saltflat train --resume {}", root.display());
    reporter.messages().say(&match trainer.saved_step() {
        _ if reporter.folder().check().is_err() => format!("failed after step {steps}"),
        Some(saved) => format!("failed after step {steps}; {resume} goes on from step {saved}"),
        None => {
            format!("failed after step {steps}; {resume} goes on from where it was saved before, or from its start")
        }
    });
    if let Some(config) = plan.with_half_the_microbatch().filter(|_| no_memory && cfg!(unix)) {
        let (train, metrics) = (config.train.microbatch.unwrap_or(1), config.metrics.microbatch);
        reporter.folder().configure(&config)?;
        reporter.messages().say(&format!(
            "{reason}\nstarts again with train.microbatch = {train} and metrics.microbatch = {metrics}, in config.toml"
        ));
        // Returns only where it could not.
        return Err(faults::start_again(&args.again(&root, stop.left())).into());
    }
    if matches!(error, TrainError::Training(_)) {
        // What a device that is gone still holds cannot be given back to it.
        errln!("saltflat: {reason}");
        std::process::exit(1);
    }
    Err(error.into())
}
