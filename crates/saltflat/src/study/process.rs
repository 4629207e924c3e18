//! The processes of a study's runs.

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::Context;
use saltflat_study::{Entry, Prepared, Standing, StudyFolder, slurm};

use super::talk::{set_aside, word};
use crate::args::StudyArgs;

/// Writes the job scripts of a batch system.
pub fn emit(args: &StudyArgs, folder: &StudyFolder) -> anyhow::Result<ExitCode> {
    let program = program()?;
    let job = slurm::Job { program: &program, device: &args.devices[0], data_dir: args.data_dir.as_deref() };
    for path in slurm::emit(folder, &job)? {
        outln!("{}", path.display())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// This program.
pub fn program() -> anyhow::Result<PathBuf> {
    std::env::current_exe().context("cannot tell where this program lies")
}

/// The process of a run.
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

/// The environment variable that sets a run's number of threads.
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
        Standing::Waiting | Standing::Blocked | Standing::Unmet => {
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
