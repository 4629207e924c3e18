//! How long a study will take on this machine.

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
    time::Instant,
};

use burn::tensor::DType;
use saltflat_kernels::{thread_count, with_threads};
use saltflat_study::{Entry, predicted_times};
use saltflat_train::{
    Counts, DeviceChoice, DeviceInfo, Plan, Times, TrainError, choose_device,
    config::{Config, RunConfig},
    start,
};

use super::{check::Runs, process::threads};
use crate::{
    args::StudyArgs,
    dry_run::{may_end_early, seconds},
    output::{OutputError, one_line},
};

/// Seconds for which all kinds of runs together are timed, roughly, and the budget of the steps of each kind at least and at most.
const ALL: f64 = 40.0;
const BUDGETS: (f64, f64) = (0.1, 1.0);
/// Timings of one kind take so many budgets: two kinds of steps, and some groups of metrics at half a budget each, warming included.
const BUDGETS_A_KIND: f64 = 6.0;

/// Runs of one kind that are timed side by side at most.
const MOST_BESIDE: usize = 8;

/// Seconds from the start of a process to its first step, beside what reading its data takes, and from its last step to the look at which
/// the study sees that it ended.
const PROCESS: f64 = 0.2;

struct Estimate {
    counts: Counts,
    times: Option<Times>,
    /// What comes before the first step and after the last.
    outside: f64,
    may_end_early: bool,
}

impl Estimate {
    fn total(&self) -> f64 {
        self.times.as_ref().map_or(0.0, |times| self.outside + times.total(&self.counts))
    }
}

struct Kind {
    times: Times,
    outside: f64,
    steps_per_epoch: u64,
}

/// Prints how long each stage, and all of them, will take. `is_done` is true for a run that is done already.
pub fn print(runs: &Runs<'_>, args: &StudyArgs, is_done: &dyn Fn(&Entry) -> bool) -> anyhow::Result<()> {
    let threads = threads(args).unwrap_or_else(thread_count);
    let clock = Instant::now();
    let device = choose_device(&args.devices[0].parse::<DeviceChoice>().map_err(anyhow::Error::msg)?)?;
    let configs: Vec<Config> =
        runs.configs.iter().map(|text| Config::read(text, runs.file, &[])).collect::<Result<_, _>>()?;
    let mut kinds: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (i, (entry, config)) in runs.entries.iter().zip(&configs).enumerate() {
        if !is_done(entry) {
            kinds.entry(kind_of_run(config)).or_default().push(i);
        }
    }
    let budget = (ALL / BUDGETS_A_KIND / kinds.len().max(1) as f64).clamp(BUDGETS.0, BUDGETS.1);
    let mut estimates: BTreeMap<usize, Estimate> = BTreeMap::new();
    let mut reasons = BTreeSet::new();
    for members in kinds.values() {
        let first = &runs.entries[members[0]];
        let beside = args.jobs.min(members.len()).min(MOST_BESIDE);
        let found = time_run(first, &configs[members[0]], &device, (args, threads), beside, budget);
        let found = found.map_err(|e| reasons.insert(format!("{}: {e}", first.name))).ok();
        for &i in members {
            let config = &configs[i];
            let counts = found.as_ref().map_or_else(Counts::default, |kind| {
                Counts::new(config, config.train.total_steps(kind.steps_per_epoch), kind.steps_per_epoch)
            });
            let (times, outside) = found.as_ref().map_or((None, 0.0), |kind| (Some(kind.times.clone()), kind.outside));
            estimates.insert(i, Estimate { counts, times, outside, may_end_early: may_end_early(config) });
        }
    }
    print_stages(runs, (args.jobs, threads), &estimates)?;
    for reason in reasons {
        outln!("# not timed: {}", one_line(&reason))?;
    }
    let took = seconds(clock.elapsed().as_secs_f64());
    let kinds = match kinds.len() {
        1 => "1 kind of runs was".into(),
        kinds => format!("{kinds} kinds of runs were"),
    };
    outln!("# {kinds} timed in {took} on {} ({})", device.name, device.backend)?;
    Ok(())
}

/// What of a configuration its time depends on: runs that differ in seed, learning rate, length or start alone are of one kind.
fn kind_of_run(config: &Config) -> String {
    let mut config = config.clone();
    config.run = RunConfig { name: String::new(), seed: 0, tensorboard: false };
    config.data.seed = 0;
    config.optimizer.lr = 0.0;
    let train = &mut config.train;
    (train.epochs, train.steps, train.stop_loss, train.stop_accuracy) = (None, None, None, None);
    (train.init, train.init_sha256, train.diverged_above) = (None, None, None);
    format!("{config:?}")
}

/// Times a run, as often side by side as such runs will be.
fn time_run(
    entry: &Entry,
    config: &Config,
    device: &DeviceInfo,
    (args, threads): (&StudyArgs, usize),
    beside: usize,
    budget: f64,
) -> Result<Kind, TrainError> {
    let mut config = config.clone();
    config.data.data_dir = args.data_dir.clone();
    if entry.parent.is_some() {
        // Weights that are not there yet: a step takes as long from others.
        (config.train.init, config.train.init_sha256) = (None, None);
    }
    device.check_supports(config.train.precision)?;
    let clock = Instant::now();
    let plan = Plan::new(config, &device.device, DType::F32)?;
    let start = start(&plan)?;
    let outside = PROCESS + clock.elapsed().as_secs_f64();
    let one = || with_threads(threads, || Times::measure(&plan, &start, budget));
    let all: Vec<Result<Times, TrainError>> = thread::scope(|scope| {
        let others: Vec<_> = (1..beside).map(|_| scope.spawn(one)).collect();
        let joined = |other: thread::ScopedJoinHandle<'_, _>| {
            other.join().unwrap_or_else(|_| Err(TrainError::Training("a timing ended without a result".into())))
        };
        std::iter::once(one()).chain(others.into_iter().map(joined)).collect()
    });
    let all: Vec<Times> = all.into_iter().collect::<Result<_, _>>()?;
    Ok(Kind { times: Times::mean(&all), outside, steps_per_epoch: plan.steps_per_epoch })
}

fn print_stages(
    runs: &Runs<'_>,
    (jobs, threads): (usize, usize),
    estimates: &BTreeMap<usize, Estimate>,
) -> Result<(), OutputError> {
    let entries = runs.entries;
    let each: Vec<f64> = (0..entries.len()).map(|i| estimates.get(&i).map_or(0.0, Estimate::total)).collect();
    let slots = predicted_times(entries, &each, jobs);
    let mut upper = false;
    for stage in &runs.source.stages {
        let of_stage: Vec<usize> = (0..entries.len()).filter(|&i| entries[i].stage == stage.name).collect();
        let found: Vec<(usize, &Estimate)> = of_stage.iter().filter_map(|&i| Some((i, estimates.get(&i)?))).collect();
        let known: Vec<&Estimate> = found.iter().map(|(_, e)| *e).filter(|e| e.times.is_some()).collect();
        let sum = |of: &dyn Fn(&Estimate) -> f64| known.iter().map(|e| of(e)).sum::<f64>();
        let steps: u64 = known.iter().map(|e| e.counts.steps).fold(0, u64::saturating_add);
        let (begin, end) = found
            .iter()
            .fold((f64::INFINITY, 0.0), |(begin, end), (i, _)| (slots[*i].begin.min(begin), slots[*i].end.max(end)));
        let mut notes = Vec::new();
        if found.len() < of_stage.len() {
            notes.push(format!("{} of them done", of_stage.len() - found.len()));
        }
        if known.len() < found.len() {
            notes.push(format!("{} of them not timed", found.len() - known.len()));
        }
        if known.iter().any(|e| e.may_end_early) {
            upper = true;
            notes.push("at most".into());
        }
        let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join(", ")) };
        if known.is_empty() {
            outln!("stage {}: {} runs{notes}", stage.name, of_stage.len())?;
            continue;
        }
        let of_steps = sum(&|e| e.times.as_ref().map_or(0.0, |times| times.of_steps(&e.counts)));
        let of_measurements = sum(&|e| e.times.as_ref().map_or(0.0, |times| times.of_measurements(&e.counts)));
        outln!(
            "stage {}: {} runs{notes}, {steps} steps: about {}; of the runs' time {} are steps, {} measurements",
            stage.name,
            of_stage.len(),
            seconds(end - begin),
            seconds(of_steps),
            seconds(of_measurements)
        )?;
    }
    let total = slots.iter().map(|slot| slot.end).fold(0.0, f64::max);
    let of_threads = if threads == 1 { "1 thread".to_string() } else { format!("{threads} threads") };
    outln!("about {} in all with --jobs {jobs}, {of_threads} a run", seconds(total))?;
    if upper {
        outln!("# at most: train.stop_loss and train.stop_accuracy may end runs sooner")?;
    }
    if estimates.values().any(|e| e.times.is_none()) {
        outln!("# what is not timed is not in the sums")?;
    }
    Ok(())
}
