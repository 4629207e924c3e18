//! `saltflat study`: many runs from one file.

mod check;
mod estimate;
mod names;
mod talk;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::Context;
use saltflat_kernels::{compute_here, thread_count};
use saltflat_record::{RunState, Status};
use saltflat_study::{
    Entry, FolderLock, Halt, Prepared, Queue, Standing, Study, StudyError, StudyFile, StudyFolder, slurm, too_long,
};

use self::{
    check::{Found, Runs},
    estimate::Conditions,
    talk::{Counts, Talk, word},
};
use crate::{
    args::{Emit, StudyArgs},
    output::OutputError,
    page,
    plain::one_line,
    signals::{Cause, Stop},
};

/// Runs the command.
pub fn run(args: &StudyArgs) -> anyhow::Result<ExitCode> {
    // Of a study that was started, what would run is what is not done.
    if args.status || args.dry_run && args.study.is_dir() {
        return status(&open(args)?.0);
    }
    if args.page {
        let (folder, source) = open(args)?;
        let file = source_of(args, &folder);
        let configs = configs(&folder)?;
        let runs: Vec<(&Entry, &str)> = folder.entries().iter().zip(configs.iter().map(String::as_str)).collect();
        let problems = names::problems(&source, &file, &runs);
        if !problems.is_empty() {
            return Err(StudyError::Problems { file, problems }.into());
        }
        let Some(_lock) = hold(folder.root(), &|| false)? else { return Ok(ExitCode::FAILURE) };
        let page = page::of_study(&folder, &source, &file)?;
        outln!("{}", page.path.display())?;
        return Ok(ExitCode::from(u8::from(page.lacks_runs)));
    }
    // Before the check starts threads.
    let runs_all = args.emit.is_none() && args.task.is_none() && !args.dry_run;
    let stop = runs_all.then(Stop::listen_for_children).transpose()?;
    let halted = || stop.as_ref().is_some_and(|stop| stop.cause().is_some());
    let mut lock = None;
    let folder = match args.study.is_dir() {
        true => {
            if args.task.is_none() {
                // Another process may write the files that are read now. A folder that is no study's gets no lock.
                lock = hold(StudyFolder::open(&args.study)?.root(), &halted)?;
            }
            let (folder, source) = open(args)?;
            let file = source_of(args, &folder);
            if args.task.is_none() {
                let configs = configs(&folder)?;
                let runs = Runs { file: &file, source: &source, entries: folder.entries(), configs: &configs };
                ready(args, &runs, Some(&folder), &halted, Vec::new())?;
            }
            folder
        }
        false => {
            let (source, mut problems) = StudyFile::read_with_problems(&args.study)?;
            let (study, of_runs) = Study::expanded(source, &args.study, args.scale.as_deref());
            problems.extend(of_runs);
            let root = root(args, &study);
            problems.extend(too_long(&root, &study.entries));
            if problems.is_empty() {
                StudyFolder::check_owner(&root, &study)?;
            }
            if args.dry_run && problems.is_empty() {
                dry_run(&study, &root)?;
            }
            if args.task.is_none() || !problems.is_empty() {
                let (source, entries, configs) = (&study.source, &study.entries[..], &study.configs[..]);
                let runs = Runs { file: &args.study, source, entries, configs };
                let begun = StudyFolder::open(&root).ok().filter(|begun| begun.entries() == entries);
                ready(args, &runs, begun.as_ref(), &halted, problems)?;
            }
            if args.dry_run {
                if !args.untimed {
                    estimate(args, &study, &root)?;
                }
                return Ok(ExitCode::SUCCESS);
            }
            lock = hold(&root, &halted)?;
            match &lock {
                Some(lock) => StudyFolder::create(&root, &study, lock)?,
                None => return Ok(end_of_signal(stop.as_ref().and_then(Stop::cause))),
            }
        }
    };
    if args.emit.is_none() {
        drop(lock);
    }
    match (stop, args.task) {
        (Some(stop), _) => all(args, &folder, &stop),
        (None, Some(task)) => one(args, &folder, folder.entry(task)?),
        (None, None) => emit(args, &folder),
    }
}

/// Checks the study before anything starts; of one that was begun, where a run is not done. `problems` are those that are known already.
fn ready(
    args: &StudyArgs,
    runs: &Runs<'_>,
    begun: Option<&StudyFolder>,
    halted: &dyn Fn() -> bool,
    mut problems: Vec<String>,
) -> Result<(), StudyError> {
    let done = |entry: &Entry| begun.is_some_and(|folder| matches!(folder.standing(entry), Standing::Done(_)));
    if runs.entries.iter().all(done) && problems.is_empty() {
        return Ok(());
    }
    let found = check::check(runs, args.data_dir.as_deref(), halted);
    let Found { problems: of_check, missing_data, notes } = found;
    problems.extend(of_check);
    notes.iter().for_each(|note| errln!("note: {note}"));
    match args.emit {
        // The nodes may have what this machine has not.
        Some(Emit::Slurm) => missing_data.iter().for_each(|missing| errln!("not on this machine: {missing}")),
        None => problems.extend(missing_data),
    }
    if problems.is_empty() { Ok(()) } else { Err(StudyError::Problems { file: runs.file.into(), problems }) }
}

/// The lock of a study's folder; absent where `given_up` says so while another process holds it.
fn hold(root: &Path, given_up: &dyn Fn() -> bool) -> Result<Option<FolderLock>, StudyError> {
    let mut is_said = false;
    FolderLock::take(root, &mut || {
        if !is_said {
            errln!("{}: waits for another process, which prepares this study or writes its page", root.display());
        }
        is_said = true;
        !given_up()
    })
}

fn root(args: &StudyArgs, study: &Study) -> PathBuf {
    args.out.clone().unwrap_or_else(|| Path::new("results").join(study.name()))
}

/// The folder of a study that was started before, and what its page says: that of the file that was named, as it is now.
fn open(args: &StudyArgs) -> anyhow::Result<(StudyFolder, StudyFile)> {
    if args.study.is_dir() {
        let folder = StudyFolder::open(&args.study)?;
        let file = source_of(args, &folder);
        let source = StudyFile::parse_alone(&read(&file)?, &file)?;
        return Ok((folder, source));
    }
    let source = StudyFile::read(&args.study)?;
    let study = Study::new(source.clone(), &args.study, args.scale.as_deref())?;
    let folder = StudyFolder::open(&root(args, &study))?;
    StudyFolder::check_owner(folder.root(), &study)?;
    Ok((folder, source))
}

/// The file that says what a study is: the one that was named, or the copy in the folder.
fn source_of(args: &StudyArgs, folder: &StudyFolder) -> PathBuf {
    match args.study.is_dir() {
        true => folder.root().join("study.toml"),
        false => args.study.clone(),
    }
}

/// The configuration of each run.
fn configs(folder: &StudyFolder) -> anyhow::Result<Vec<String>> {
    folder.entries().iter().map(|entry| read(&folder.config(entry))).collect()
}

fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| path.display().to_string())
}

fn emit(args: &StudyArgs, folder: &StudyFolder) -> anyhow::Result<ExitCode> {
    let program = program()?;
    let job = slurm::Job { program: &program, device: &args.devices[0], data_dir: args.data_dir.as_deref() };
    for path in slurm::emit(folder, &job)? {
        outln!("{}", path.display())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn program() -> anyhow::Result<PathBuf> {
    std::env::current_exe().context("cannot tell where this program lies")
}

/// The process of a run.
fn command(
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

/// Threads of a run where several share the cores, unless the environment says how many; the number changes no number in the results.
fn threads(args: &StudyArgs) -> Option<usize> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    (args.jobs > 1 && std::env::var_os(THREADS).is_none()).then(|| (cores / args.jobs).max(1))
}

/// Says how long what is not done will take.
fn estimate(args: &StudyArgs, study: &Study, root: &Path) -> anyhow::Result<()> {
    let runs = Runs { file: &args.study, source: &study.source, entries: &study.entries, configs: &study.configs };
    let begun = StudyFolder::open(root).ok().filter(|begun| begun.entries() == study.entries);
    let is_done =
        |entry: &Entry| begun.as_ref().is_some_and(|folder| matches!(folder.standing(entry), Standing::Done(_)));
    // As a run starts them.
    compute_here().iter().for_each(|note| errln!("note: {note}"));
    let conditions = Conditions {
        jobs: args.jobs,
        threads: threads(args).unwrap_or_else(thread_count),
        device: &args.devices[0],
        data_dir: args.data_dir.as_deref(),
        is_done: &is_done,
    };
    estimate::print(&runs, &conditions)
}

/// One run in this process's place, as a batch system's task: its exit code is passed on.
fn one(args: &StudyArgs, folder: &StudyFolder, entry: &Entry) -> anyhow::Result<ExitCode> {
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
        errln!("{}", talk::set_aside(entry, place));
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

fn all(args: &StudyArgs, folder: &StudyFolder, stop: &Stop) -> anyhow::Result<ExitCode> {
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
fn end_of_signal(cause: Option<Cause>) -> ExitCode {
    let cause = cause.unwrap_or(Cause::Interrupt);
    errln!("stopped by {}; the same command goes on", cause.name());
    ExitCode::from(cause.exit_code())
}

/// A line a run, then the counts.
fn status(folder: &StudyFolder) -> anyhow::Result<ExitCode> {
    let width = folder.entries().iter().map(|entry| entry.name.len()).max().unwrap_or(0);
    for entry in folder.entries() {
        let run = folder.run(entry);
        let (state, status) = (folder.state(entry), Status::read(&run));
        let (status, unread) = status.map_or_else(|error| (None, Some(error.to_string())), |status| (status, None));
        let standing = match folder.standing(entry) {
            Standing::Waiting => "waiting",
            Standing::Blocked | Standing::Unmet => "blocked",
            Standing::Done(_) | Standing::Running | Standing::Ready | Standing::Failed => word(state),
        };
        let step = status.as_ref().map_or(String::new(), |status| format!("step {}", status.step));
        let said = unread.or_else(|| status.and_then(|status| status.reason));
        // Of a process that was killed, or could not be started, the folder does not know why, and may know it of an earlier one.
        let is_open = match state {
            RunState::Dead | RunState::None | RunState::Interrupted | RunState::Failed | RunState::Unreadable => true,
            RunState::Running | RunState::Finished | RunState::Diverged => false,
        };
        let silent = folder.ending(entry).filter(|_| is_open);
        let parts = [silent.or(said), folder.missed_goal(entry), folder.obstacle(entry)];
        let reason = parts.into_iter().flatten().collect::<Vec<_>>().join("; ");
        let line = format!("{:>4} {:<width$} {standing:<12} {step:<12} {reason}", entry.index, entry.name);
        outln!("{}", one_line(line.trim_end()))?;
    }
    outln!("{}", Counts::of(folder))?;
    Ok(ExitCode::SUCCESS)
}

/// What would run.
fn dry_run(study: &Study, root: &Path) -> Result<(), OutputError> {
    outln!("{}: {} runs in {}", study.name(), study.entries.len(), root.display())?;
    let width = study.entries.iter().map(|entry| entry.name.len()).max().unwrap_or(0);
    for (entry, config) in study.entries.iter().zip(&study.configs) {
        let train = config.parse::<toml::Table>().ok().and_then(|mut table| table.remove("train"));
        let value = |key: &str| train.as_ref().and_then(|train| train.get(key)).map(ToString::to_string);
        let length = match (value("epochs"), value("steps")) {
            (Some(epochs), _) => format!("{epochs} epochs"),
            (None, Some(steps)) => format!("{steps} steps"),
            (None, None) => String::new(),
        };
        let parent = entry.parent.map(|parent| &study.entries[parent].name);
        let from = parent.or(entry.start.as_ref()).map_or(String::new(), |start| format!("from {start}"));
        let line = format!("{:>4} {:<width$} {length:<14} {from}", entry.index, entry.name);
        outln!("{}", one_line(line.trim_end()))?;
    }
    Ok(())
}
