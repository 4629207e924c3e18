//! `saltflat study`: many runs from one file.

use std::{
    collections::BTreeMap,
    io::IsTerminal,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use saltflat_folder::{RunState, Status};
use saltflat_study::{Ended, Entry, Queue, Report, Standing, Study, StudyFile, StudyFolder, slurm};

use crate::{
    args::{Emit, StudyArgs},
    output::OutputError,
    page,
    plain::{one_line, plain},
    signals::Stop,
    table::length,
};

/// Exit code of a study that was told to stop.
const INTERRUPTED: u8 = 130;

/// Runs the command.
pub fn run(args: &StudyArgs) -> anyhow::Result<ExitCode> {
    // Of a study that was started, what would run is what is not done.
    if args.status || args.dry_run && args.study.is_dir() {
        return status(&open(args)?);
    }
    if args.page {
        outln!("{}", page::of_study(&open(args)?)?.display())?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.study.is_dir() {
        return work(args, &StudyFolder::open(&args.study)?);
    }
    let study = Study::new(StudyFile::read(&args.study)?, &args.study, args.scale.as_deref())?;
    let root = root(args, &study);
    page::figures(&study.source, &args.study)?;
    if args.dry_run {
        dry_run(&study, &root)?;
        return Ok(ExitCode::SUCCESS);
    }
    work(args, &StudyFolder::create(&root, &study)?)
}

fn root(args: &StudyArgs, study: &Study) -> PathBuf {
    args.out.clone().unwrap_or_else(|| Path::new("results").join(study.name()))
}

/// The folder of a study that was started before.
fn open(args: &StudyArgs) -> anyhow::Result<StudyFolder> {
    if args.study.is_dir() {
        return Ok(StudyFolder::open(&args.study)?);
    }
    let study = Study::new(StudyFile::read(&args.study)?, &args.study, args.scale.as_deref())?;
    Ok(StudyFolder::open(&root(args, &study))?)
}

fn work(args: &StudyArgs, folder: &StudyFolder) -> anyhow::Result<ExitCode> {
    if args.emit == Some(Emit::Slurm) {
        let program = program()?;
        let job = slurm::Job { program: &program, device: &args.devices[0], data_dir: args.data_dir.as_deref() };
        for path in slurm::emit(folder, &job)? {
            outln!("{}", path.display())?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(task) = args.task {
        return one(args, folder, folder.entry(task)?);
    }
    all(args, folder)
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
    // Runs side by side share the cores; the number of threads changes no number.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if args.jobs > 1 && std::env::var_os("RAYON_NUM_THREADS").is_none() {
        command.env("RAYON_NUM_THREADS", (cores / args.jobs).max(1).to_string());
    }
    command
}

/// One run in this process's place, as a batch system's task: its exit code is passed on.
fn one(args: &StudyArgs, folder: &StudyFolder, entry: &Entry) -> anyhow::Result<ExitCode> {
    match folder.standing(entry) {
        Standing::Done(state) => {
            errln!("{}: {}, nothing to do", entry.name, word(state));
            return Ok(ExitCode::SUCCESS);
        }
        Standing::Running => anyhow::bail!("{}: another process works on it", entry.name),
        Standing::Waiting => anyhow::bail!("{}: the run that it starts from is not done", entry.name),
        Standing::Blocked => anyhow::bail!("{}: the run that it starts from failed or diverged", entry.name),
        Standing::Ready | Standing::Failed => {}
    }
    let resumed = folder.prepare(entry)?;
    let mut command = command(args, &program()?, folder, entry, resumed, &args.devices[0]);
    if let Some(limit) = &args.time_limit {
        command.arg("--time-limit").arg(limit);
    }
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

fn all(args: &StudyArgs, folder: &StudyFolder) -> anyhow::Result<ExitCode> {
    let stop = Stop::listen(None)?;
    // Asked once: the file may be replaced while the study runs.
    let program = program()?;
    let make = |entry: &Entry, resumed: bool, device: &str| command(args, &program, folder, entry, resumed, device);
    let queue =
        Queue { folder, jobs: args.jobs, devices: args.devices.clone(), retry: args.retry_failed, command: &make };
    let mut talk = Talk::new(folder);
    queue.run(&mut talk, &|| stop.cause().is_some())?;
    talk.bar.finish_and_clear();
    let counts = Counts::of(folder);
    errln!("{}: {counts}", folder.root().display());
    for (name, reason, log) in &talk.failed {
        errln!("  {name} failed: {} (see {})", one_line(reason), log.display());
    }
    if counts.done > 0 {
        let path = page::of_study(folder)?;
        outln!("{}", path.display())?;
    }
    if let Some(cause) = stop.cause() {
        errln!("stopped by {}; the same command goes on", cause.name());
        return Ok(ExitCode::from(INTERRUPTED));
    }
    if counts.failed + talk.failed.len() > 0 {
        errln!("--retry-failed starts those again that failed");
    }
    if counts.failed + counts.blocked + counts.open > 0 {
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// How many runs stand where.
#[derive(Default)]
struct Counts {
    done: usize,
    diverged: usize,
    failed: usize,
    blocked: usize,
    open: usize,
}

impl Counts {
    fn of(folder: &StudyFolder) -> Self {
        let mut counts = Self::default();
        for entry in folder.entries() {
            match folder.standing(entry) {
                Standing::Done(state) => {
                    counts.done += 1;
                    counts.diverged += usize::from(state == RunState::Diverged);
                }
                Standing::Failed => counts.failed += 1,
                Standing::Blocked => counts.blocked += 1,
                Standing::Running | Standing::Ready | Standing::Waiting => counts.open += 1,
            }
        }
        counts
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let all = self.done + self.failed + self.blocked + self.open;
        write!(f, "{} of {all} runs done", self.done)?;
        for (count, what) in [
            (self.diverged, "of them diverged"),
            (self.failed, "failed"),
            (self.blocked, "cannot start, since the run before them failed or diverged"),
            (self.open, "left"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        Ok(())
    }
}

/// Tells how the queue goes.
struct Talk<'a> {
    folder: &'a StudyFolder,
    bar: ProgressBar,
    clock: Instant,
    /// Runs that were done before, and those that ended since.
    before: u64,
    ended: u64,
    looked: Option<Instant>,
    /// Name, reason and log of those that failed in this call.
    failed: Vec<(String, String, PathBuf)>,
}

impl<'a> Talk<'a> {
    fn new(folder: &'a StudyFolder) -> Self {
        let before = Counts::of(folder).done as u64;
        let all = folder.entries().len() as u64;
        let bar = if std::io::stderr().is_terminal() { ProgressBar::new(all) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} runs {msg}") {
            bar.set_style(style);
        }
        bar.set_position(before);
        if before > 0 {
            errln!("{before} of {all} runs are done already");
        }
        Self { folder, bar, clock: Instant::now(), before, ended: 0, looked: None, failed: Vec::new() }
    }

    fn say(&self, text: &str) {
        self.bar.suspend(|| errln!("{}", plain(text)));
    }
}

impl Report for Talk<'_> {
    fn started(&mut self, entry: &Entry, resumed: bool, device: &str) {
        let verb = if resumed { "resumed" } else { "started" };
        self.say(&format!("{}: {verb} ({device})", entry.name));
    }

    fn ended(&mut self, ended: &Ended<'_>) {
        self.ended += 1;
        let status = Status::read(&self.folder.run(ended.entry));
        let log = self.folder.log(ended.entry);
        // A process that ended before it had a folder says why in its log alone.
        let reason = status.and_then(|status| status.reason).unwrap_or_else(|| last_line(&log));
        let broken = matches!(ended.state, RunState::None | RunState::Dead) && !ended.status.success();
        let state = if broken { RunState::Failed } else { ended.state };
        if state == RunState::Failed {
            self.failed.push((ended.entry.name.clone(), reason.clone(), log));
        }
        let all = self.folder.entries().len() as u64;
        self.bar.set_position(self.before + self.ended);
        self.say(&format!(
            "[{}/{all}] {}: {}, {:.1} s: {reason}",
            self.before + self.ended,
            ended.entry.name,
            word(state),
            ended.elapsed.as_secs_f64()
        ));
    }

    fn looking(&mut self, running: &[&Entry]) {
        if self.looked.is_some_and(|at| at.elapsed() < Duration::from_secs(1)) || self.bar.is_hidden() {
            return;
        }
        self.looked = Some(Instant::now());
        let names: Vec<&str> = running.iter().map(|entry| entry.name.as_str()).collect();
        let mut text = names.join(", ");
        if self.ended > 0 {
            let left = (self.folder.entries().len() as u64).saturating_sub(self.before + self.ended);
            let each = self.clock.elapsed().as_secs_f64() / self.ended as f64;
            text.push_str(&format!("; about {} left", length(each * left as f64)));
        }
        self.bar.set_message(text);
    }
}

/// The last line of what a process said.
fn last_line(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().into()
}

fn word(state: RunState) -> &'static str {
    match state {
        RunState::Finished => "finished",
        RunState::Diverged => "diverged",
        RunState::Interrupted => "interrupted",
        RunState::Failed => "failed",
        RunState::Running => "running",
        RunState::Dead => "ended without a word",
        RunState::None => "not started",
    }
}

/// A line a run, then the counts.
fn status(folder: &StudyFolder) -> anyhow::Result<ExitCode> {
    let width = folder.entries().iter().map(|entry| entry.name.len()).max().unwrap_or(0);
    for entry in folder.entries() {
        let run = folder.run(entry);
        let (state, status) = (RunState::of(&run), Status::read(&run));
        let standing = match folder.standing(entry) {
            Standing::Waiting => "waiting".into(),
            Standing::Blocked => "blocked".into(),
            _ => word(state).to_string(),
        };
        let step = status.as_ref().map_or(String::new(), |status| format!("step {}", status.step));
        let reason = status.and_then(|status| status.reason).unwrap_or_default();
        let line = format!("{:>4} {:<width$} {standing:<20} {step:<12} {reason}", entry.index, entry.name);
        outln!("{}", one_line(line.trim_end()))?;
    }
    outln!("{}", Counts::of(folder))?;
    Ok(ExitCode::SUCCESS)
}

/// What would run.
fn dry_run(study: &Study, root: &Path) -> Result<(), OutputError> {
    outln!("{}: {} runs in {}", study.name(), study.entries.len(), root.display())?;
    let mut stages: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in &study.entries {
        *stages.entry(&entry.stage).or_default() += 1;
    }
    let width = study.entries.iter().map(|entry| entry.name.len()).max().unwrap_or(0);
    for (entry, config) in study.entries.iter().zip(&study.configs) {
        let train = config.parse::<toml::Table>().ok().and_then(|mut table| table.remove("train"));
        let value = |key: &str| train.as_ref().and_then(|train| train.get(key)).map(ToString::to_string);
        let length = match (value("epochs"), value("steps")) {
            (Some(epochs), _) => format!("{epochs} epochs"),
            (None, Some(steps)) => format!("{steps} steps"),
            (None, None) => String::new(),
        };
        let from = entry.parent.map_or(String::new(), |parent| format!("from {}", study.entries[parent].name));
        outln!("{}", format!("{:>4} {:<width$} {length:<14} {from}", entry.index, entry.name).trim_end())?;
    }
    for stage in &study.source.stages {
        let runs = stages.get(stage.name.as_str()).copied().unwrap_or(0);
        outln!("stage {}: {runs} runs", stage.name)?;
    }
    outln!("each run's cost: saltflat train CONFIG --dry-run")
}
