//! All runs of a study, through the queue.

use std::{path::PathBuf, process::ExitCode};

use saltflat_study::{Entry, Halt, Queue, StudyFile, StudyFolder};

use super::{
    folder::{hold, read},
    process::{command, program},
    talk::{Counts, Talk},
};
use crate::{
    args::StudyArgs,
    output::OutputError,
    page,
    sanitize_terminal::one_line,
    signals::{Cause, Stop},
};

/// Runs what is not done, and writes the page.
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
        _ if stop.is_urgent() => Some(Halt::Kill),
        Some(Cause::Interrupt) => Some(Halt::Interrupt),
        Some(Cause::Terminate | Cause::Hangup) => Some(Halt::Terminate),
        Some(Cause::Requeue | Cause::TimeLimit) => Some(Halt::Requeue),
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
