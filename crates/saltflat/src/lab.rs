//! `saltflat lab`: the papers' small experiments that need no network.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::mpsc::{RecvTimeoutError, channel},
    time::{Duration, Instant},
};

use saltflat_kernels::start_threads;
use saltflat_lab::{Finding, LABS, Lab, LabFolder, LabKind, Outcome, Progress, Scale, Trial, lab};
use saltflat_report::{Page, Run, parse_figures};

use crate::{
    args::LabArgs,
    output::{self, OutputError},
    page,
    signals::{self, Stop},
    table::length,
};

const PAUSE: Duration = Duration::from_millis(100);

pub fn run(args: &LabArgs) -> anyhow::Result<ExitCode> {
    let Some(name) = &args.name else {
        list()?;
        return Ok(ExitCode::SUCCESS);
    };
    let mut changes = args.set.clone();
    changes.extend(args.seeds.map(|seeds| ("seeds".into(), seeds.to_string())));
    let lab = lab(name, args.scale, &changes)?;
    let figures = parse_figures(lab.about().figures);
    let figures = figures
        .map_err(|found| anyhow::Error::msg(found.iter().map(|problem| format!("{problem}\n")).collect::<String>()))?;
    let root = args.out.clone().unwrap_or_else(|| default_folder(name, args.scale));
    if args.dry_run {
        dry_run(&*lab, &root)?;
        return Ok(ExitCode::SUCCESS);
    }
    let stop = Stop::listen(args.time_limit)?;
    if let Some(note) = start_threads() {
        errln!("note: {note}");
    }
    let mut folder = LabFolder::open(&root, &*lab)?;
    let Some(done) = run_trials(&*lab, &mut folder, &stop)? else {
        let cause = stop.cause();
        errln!("stopped by {}; the same command goes on", cause.map_or("a signal", signals::Cause::name));
        return Ok(ExitCode::from(cause.map_or(1, signals::Cause::exit_code)));
    };
    let mut findings = lab.findings(&done);
    if args.scale == Scale::Smoke {
        // Too short to say anything of a paper.
        findings.iter_mut().for_each(|finding| finding.holds = None);
    }
    drop(folder);
    let of_page = findings.iter().cloned().map(|Finding { claim, found, holds }| saltflat_report::Finding {
        claim,
        found,
        holds,
    });
    let mut runs = Run::read_all(&root)?;
    // The page names the folder within the results, wherever those are.
    runs.iter_mut().for_each(|run| run.folder = PathBuf::from(root.file_name().unwrap_or(root.as_os_str())));
    let about = lab.about();
    let page = Page {
        title: about.title.into(),
        text: format!("{}\n\n{}. Made by: {}", about.text, about.source, command(args, name)),
        runs,
        findings: of_page.collect(),
        figures,
        ..Page::default()
    };
    // Written before anything is printed: the page must not depend on whether somebody reads stdout.
    let path = page::write(&root, &page)?;
    for finding in &findings {
        outln!("{}: {}\n    {}", verdict(finding), finding.claim, finding.found)?;
    }
    outln!("{}", path.display())?;
    Ok(ExitCode::SUCCESS)
}

fn verdict(finding: &Finding) -> &'static str {
    match finding.holds {
        Some(true) => "seen",
        Some(false) => "NOT seen",
        None => "measured",
    }
}

fn default_folder(name: &str, scale: Scale) -> PathBuf {
    let folder = if scale == Scale::Paper { name.to_string() } else { format!("{name}-{}", scale.name()) };
    Path::new("results/lab").join(folder)
}

fn command(args: &LabArgs, name: &str) -> String {
    let mut command = format!("saltflat lab {name} --scale {}", args.scale.name());
    if let Some(seeds) = args.seeds {
        command += &format!(" --seeds {seeds}");
    }
    for (key, value) in &args.set {
        let plain = value.chars().all(|c| c.is_ascii_alphanumeric() || "._-+".contains(c));
        command += &if plain { format!(" --set {key}={value}") } else { format!(" --set '{key}={value}'") };
    }
    command
}

fn list() -> anyhow::Result<()> {
    let width = LABS.iter().map(|kind| kind.name.len()).max().unwrap_or(0);
    for LabKind { name, read } in LABS {
        let about = read(Scale::Paper, &[])?.about();
        outln!("{name:<width$}  {}\n{:<width$}  {}", about.title, "", about.source)?;
    }
    Ok(())
}

fn dry_run(lab: &dyn Lab, root: &Path) -> Result<(), OutputError> {
    let trials = lab.trials();
    let steps: u64 = trials.iter().map(|trial| trial.steps).sum();
    outln!("# {}: {} trials, at most {steps} steps, in {}", lab.about().name, trials.len(), root.display())?;
    output::data(format_args!("{}", lab.settings()))
}

/// Makes the trials that are left, with a progress bar. `None` if it was stopped.
fn run_trials(lab: &dyn Lab, folder: &mut LabFolder, stop: &Stop) -> anyhow::Result<Option<Vec<(Trial, Outcome)>>> {
    let trials = lab.trials();
    let (held, left): (Vec<&Trial>, Vec<&Trial>) = trials.iter().partition(|trial| folder.holds(trial));
    if !held.is_empty() {
        errln!("{} of {} trials are made already", held.len(), trials.len());
    }
    let total: u64 = left.iter().map(|trial| trial.steps).sum();
    let bar = output::progress_bar(total, "{bar:30} {percent}% {msg}");
    let (progress, clock) = (Progress::default(), Instant::now());
    let report = |trial: &Trial, outcome: &Outcome| {
        let labels: Vec<&str> = trial.labels.values().map(String::as_str).collect();
        let end = outcome.diverged.as_ref().map_or(String::new(), |why| format!(": diverged, {why}"));
        bar.suspend(|| errln!("{}, seed {}{end}", labels.join(", "), trial.seed));
    };
    let result = std::thread::scope(|scope| {
        let (done, wait) = channel();
        let progress = &progress;
        let worker = scope.spawn(move || {
            let result = saltflat_lab::run(lab, folder, progress, &report);
            // The receiver may be gone already.
            let _ = done.send(());
            result
        });
        while wait.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
            if stop.cause().is_some() {
                progress.stop();
            }
            // Trials that ended before their last step count as whole.
            let steps = progress.steps().min(total);
            bar.set_position(steps);
            if steps > 0 {
                let left = clock.elapsed().as_secs_f64() * (total - steps) as f64 / steps as f64;
                bar.set_message(format!("about {} left", length(left)));
            }
        }
        worker.join()
    });
    bar.finish_and_clear();
    match result {
        Ok(result) => Ok(result?),
        Err(_) => anyhow::bail!("a trial broke off; its message stands above"),
    }
}
