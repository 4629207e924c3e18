//! The processes of a study's runs: one by itself, or all through the queue.

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::Context;
use saltflat_study::{Entry, Prepared, Queue, Standing, StopRequest, StudyFile, StudyFolder, slurm};

use super::{
    folder::{hold, read},
    talk::{Counts, Talk, set_aside, word},
};
use crate::{
    args::StudyArgs,
    output::{OutputError, one_line},
    page,
    signals::{Cause, Stop},
};

pub fn emit(args: &StudyArgs, folder: &StudyFolder) -> anyhow::Result<ExitCode> {
    let program = program()?;
    let job = slurm::Job { program: &program, device: &args.devices[0], data_dir: args.data_dir.as_deref() };
    for path in slurm::emit(folder, &job)? {
        outln!("{}", path.display())?;
    }
    Ok(ExitCode::SUCCESS)
}

pub fn program() -> anyhow::Result<PathBuf> {
    std::env::current_exe().context("cannot tell where this program lies")
}

pub fn command(
    args: &StudyArgs,
    program: &Path,
    folder: &StudyFolder,
    entry: &Entry,
    resumed: bool,
    device: &str,
) -> Command {
    let mut command = Command::new(program);
    command.arg("train");
    match resumed {
        true => command.arg("--resume").arg(folder.run(entry)),
        false => command.arg(folder.config(entry)).arg("--out").arg(folder.run(entry)),
    };
    command.args(["--device", device]);
    if let Some(data) = &args.data_dir {
        command.arg("--data-dir").arg(data);
    }
    if let Some(threads) = threads(args) {
        command.env(THREADS, threads.to_string());
    }
    command
}

const THREADS: &str = "RAYON_NUM_THREADS";

/// Threads of a run if several share the cores, unless the environment says how many; the number changes no number in the results.
pub fn threads(args: &StudyArgs) -> Option<usize> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    (args.jobs > 1 && std::env::var_os(THREADS).is_none()).then(|| (cores / args.jobs).max(1))
}

/// One run in this process's place, as a batch system's task: its exit code is passed on.
pub fn run_one(args: &StudyArgs, folder: &StudyFolder, entry: &Entry) -> anyhow::Result<ExitCode> {
    match folder.standing(entry) {
        Standing::Done(state) => {
            errln!("{}: {}, nothing to do", entry.name, word(state));
            return Ok(ExitCode::SUCCESS);
        }
        Standing::Running => anyhow::bail!("{}: another process works on it", entry.name),
        Standing::Waiting | Standing::Blocked | Standing::RequirementUnmet => {
            anyhow::bail!("{}: {}", entry.name, folder.obstacle(entry).unwrap_or_default())
        }
        Standing::Ready | Standing::Failed => {}
    }
    let Some(claim) = folder.claim(entry)? else { anyhow::bail!("{}: another process works on it", entry.name) };
    let prepared = folder.prepare(entry)?;
    if let Prepared::SetAside(place) = &prepared {
        errln!("{}", set_aside(entry, place));
    }
    let resumed = prepared == Prepared::Resumed;
    let mut command = command(args, &program()?, folder, entry, resumed, &args.devices[0]);
    if let Some(limit) = &args.time_limit {
        command.arg("--time-limit").arg(limit);
    }
    // What holds it is the process that this one becomes; it reads nothing.
    command.stdin(claim);
    replace(command, entry)
}

/// Becomes the run's process, so that signals reach it.
#[cfg(unix)]
fn replace(mut command: Command, entry: &Entry) -> anyhow::Result<ExitCode> {
    use std::os::unix::process::CommandExt;
    let error = command.exec();
    Err(error).with_context(|| format!("{}: its process cannot be started", entry.name))
}

#[cfg(not(unix))]
fn replace(mut command: Command, entry: &Entry) -> anyhow::Result<ExitCode> {
    let status = command.status().with_context(|| format!("{}: its process cannot be started", entry.name))?;
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}

pub fn run_all(args: &StudyArgs, folder: &StudyFolder, stop: &Stop) -> anyhow::Result<ExitCode> {
    // Asked once: the file may be replaced while the study runs.
    let program = program()?;
    let make = |entry: &Entry, resumed: bool, device: &str| {
        let mut command = command(args, &program, folder, entry, resumed, device);
        command.arg("--stop-at-end-of-input");
        command
    };
    let queue =
        Queue { folder, jobs: args.jobs, devices: args.devices.clone(), retry: args.retry_failed, command: &make };
    let mut talk = Talk::new(folder);
    let halt = || match stop.cause() {
        _ if stop.is_urgent() => Some(StopRequest::Kill),
        Some(Cause::Interrupt) => Some(StopRequest::Interrupt),
        Some(Cause::Terminate | Cause::Hangup) => Some(StopRequest::Terminate),
        Some(Cause::Requeue | Cause::TimeLimit) => Some(StopRequest::Requeue),
        None => None,
    };
    let ended = queue.run(&mut talk, &halt);
    talk.bar.finish_and_clear();
    let counts = Counts::of(folder);
    errln!("{}: {counts}", folder.root().display());
    for (name, reason, log) in &talk.failed {
        errln!("  {name} failed: {} (see {})", one_line(reason), log.display());
    }
    ended?;
    let page = last_page(folder, &counts, stop);
    if stop.is_urgent() {
        errln!("a second signal ended the runs at once; they go on from their last checkpoints");
    }
    let code = end(&counts, stop.cause());
    let printed = page.and_then(|page| Ok(page.map_or(Ok(()), |page| outln!("{}", page.display()))?));
    match printed {
        Ok(()) => Ok(code),
        // The exit code says how the runs ended, whether or not somebody reads where the page is.
        Err(error) if matches!(error.downcast_ref(), Some(OutputError::Closed)) => Ok(code),
        // It says that a signal ended them, too.
        Err(error) if stop.cause().is_some() => {
            errln!("saltflat: {error:#}");
            Ok(code)
        }
        Err(error) => Err(error),
    }
}

/// Writes the page of the runs that there are, unless there are none or a second signal says that nothing is to be waited for.
fn last_page(folder: &StudyFolder, counts: &Counts, stop: &Stop) -> anyhow::Result<Option<PathBuf>> {
    if counts.done == 0 || stop.is_urgent() {
        return Ok(None);
    }
    let Some(_lock) = hold(folder.root(), &|| stop.is_urgent())? else { return Ok(None) };
    let file = folder.root().join("study.toml");
    let source = StudyFile::parse_alone(&read(&file)?, &file)?;
    // Of runs that are damaged the exit code speaks anyway.
    Ok(Some(page::of_study(folder, &source, &file)?.path))
}

/// Says how a study that ended goes on; gives the exit code.
fn end(counts: &Counts, cause: Option<Cause>) -> ExitCode {
    if cause.is_some() {
        return end_of_signal(cause);
    }
    if counts.failed > 0 {
        errln!("--retry-failed starts those again that failed");
    }
    if counts.open > 0 {
        errln!("the same command goes on with those that are left");
    }
    ExitCode::from(u8::from(counts.failed + counts.blocked + counts.open > 0))
}

/// Says that a signal ended the study; gives the exit code.
pub fn end_of_signal(cause: Option<Cause>) -> ExitCode {
    let cause = cause.unwrap_or(Cause::Interrupt);
    errln!("stopped by {}; the same command goes on", cause.name());
    ExitCode::from(cause.exit_code())
}
