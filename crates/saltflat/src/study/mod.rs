//! `saltflat study`: many runs from one file.

mod check;
mod estimate;
mod folder;
mod names;
mod process;
mod talk;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use saltflat_kernels::init_thread_pool;
use saltflat_study::{Entry, Standing, Study, StudyError, StudyFile, StudyFolder, path_problems};

use self::{
    check::{Found, Runs},
    folder::{dry_run, hold, read, status},
    process::{emit, end_of_signal, run_all, run_one},
};
use crate::{
    args::{Emit, StudyArgs},
    page,
    signals::Stop,
};

pub fn run(args: &StudyArgs) -> anyhow::Result<ExitCode> {
    // Of a study that was started, what would run is what is not done.
    if args.status || args.dry_run && args.study.is_dir() {
        return status(&open(args)?.0);
    }
    if args.page {
        let (folder, source) = open(args)?;
        let file = source_of(args, &folder);
        let problems = names::problems(&source, &file, (folder.entries(), &configs(&folder)?));
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
            problems.extend(path_problems(&root, &study.entries));
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
        (Some(stop), _) => run_all(args, &folder, &stop),
        (None, Some(task)) => run_one(args, &folder, folder.entry(task)?),
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

fn configs(folder: &StudyFolder) -> anyhow::Result<Vec<String>> {
    folder.entries().iter().map(|entry| read(&folder.config(entry))).collect()
}

fn estimate(args: &StudyArgs, study: &Study, root: &Path) -> anyhow::Result<()> {
    let runs = Runs { file: &args.study, source: &study.source, entries: &study.entries, configs: &study.configs };
    let begun = StudyFolder::open(root).ok().filter(|begun| begun.entries() == study.entries);
    let is_done =
        |entry: &Entry| begun.as_ref().is_some_and(|folder| matches!(folder.standing(entry), Standing::Done(_)));
    // As a run starts them.
    init_thread_pool().iter().for_each(|note| errln!("note: {note}"));
    estimate::print(&runs, args, &is_done)
}
