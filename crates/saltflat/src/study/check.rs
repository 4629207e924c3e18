//! What is wrong with a study, before its first run starts: every network is built on its data, every start is read.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use saltflat_data::{DataConfig, DataError, Summary};
use saltflat_models::Loss;
use saltflat_study::{Entry, Stage, StudyFile};
use saltflat_train::{
    Outline, check_start,
    config::{BestBy, Config, RunConfig},
};

use super::names;

pub struct Runs<'a> {
    pub file: &'a Path,
    pub source: &'a StudyFile,
    pub entries: &'a [Entry],
    pub configs: &'a [String],
}

#[derive(Default)]
pub struct Found {
    /// What keeps the study from running, everywhere.
    pub problems: Vec<String>,
    pub missing_data: Vec<String>,
    /// What a person should know of the data, a sentence each.
    pub notes: Vec<String>,
}

/// A run with what its configuration makes of its data, as far as that could be told.
struct Outlined<'a> {
    entry: &'a Entry,
    config: Config,
    outline: Option<std::rc::Rc<Outline>>,
}

/// Checks everything that can be told before the first run. A dataset is read once, and a network built once, for all runs that have
/// the same; `halted` ends it early.
pub fn check(runs: &Runs<'_>, data_dir: Option<&Path>, halted: &dyn Fn() -> bool) -> Found {
    let mut found = Found::default();
    found.problems.extend(names::problems(runs.source, runs.file, (runs.entries, runs.configs)));
    let mut outlined = Vec::new();
    for (entry, text) in runs.entries.iter().zip(runs.configs) {
        match Config::read(text, runs.file, &[]) {
            Ok(mut config) => {
                config.data.data_dir = data_dir.map(Path::to_path_buf);
                outlined.push(Outlined { entry, config, outline: None });
            }
            Err(e) => found.problems.push(format!("{}: {e}", entry.name)),
        }
    }
    build_outlines(&mut outlined, &mut found, halted);
    if halted() {
        return Found::default();
    }
    check_starts(&outlined, runs.source, &mut found.problems);
    check_requirements(&outlined, &mut found.problems);
    if !runs.source.measure.is_own() {
        check_losses(&outlined, &mut found.problems);
    }
    found
}

fn build_outlines(runs: &mut [Outlined<'_>], found: &mut Found, halted: &dyn Fn() -> bool) {
    let mut by_data: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (i, run) in runs.iter().enumerate() {
        by_data.entry(format!("{:?}", of_any_seed(&run.config.data))).or_default().push(i);
    }
    // In the order of the runs, whatever the names of the data are.
    let mut by_data: Vec<Vec<usize>> = by_data.into_values().collect();
    by_data.sort_unstable();
    for members in by_data {
        if halted() {
            return;
        }
        let data = &runs[members[0]].config.data;
        let summary = match Summary::read(data) {
            Ok(summary) => summary,
            Err(e) => {
                let missing = matches!(e, DataError::NoFolder { .. } | DataError::Missing { .. });
                let text = format!("{}: {e}", first_and_count(&members, runs));
                match (missing, Summary::published(data)) {
                    (true, Some(summary)) => {
                        found.missing_data.push(text);
                        summary
                    }
                    (_, _) => {
                        found.problems.push(text);
                        continue;
                    }
                }
            }
        };
        found
            .notes
            .extend(summary.warnings.iter().map(|warning| format!("{}: {warning}", first_and_count(&members, runs))));
        let mut alike: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for i in members {
            alike.entry(format!("{:?}", without_the_run(&runs[i].config))).or_default().push(i);
        }
        let mut alike: Vec<Vec<usize>> = alike.into_values().collect();
        alike.sort_unstable();
        for members in alike {
            match Outline::new(&runs[members[0]].config, &summary) {
                Ok(outline) => {
                    let outline = std::rc::Rc::new(outline);
                    members.iter().for_each(|&i| runs[i].outline = Some(outline.clone()));
                }
                Err(e) => found.problems.push(format!("{}: {e}", first_and_count(&members, runs))),
            }
        }
    }
}

/// The data of a configuration whatever its seed is: it draws other samples, of the same number and shape.
fn of_any_seed(data: &DataConfig) -> DataConfig {
    DataConfig { seed: 0, ..data.clone() }
}

/// What of a configuration its outline depends on, and some more.
fn without_the_run(config: &Config) -> Config {
    let mut config = config.clone();
    config.run = RunConfig { name: String::new(), seed: 0, tensorboard: false };
    config.data = of_any_seed(&config.data);
    config.optimizer.lr = 0.0;
    (config.train.init, config.train.init_sha256) = (None, None);
    config
}

/// Every start is there and fits the network.
fn check_starts(runs: &[Outlined<'_>], source: &StudyFile, problems: &mut Vec<String>) {
    let mut files: BTreeMap<(String, PathBuf, *const Outline), Vec<usize>> = BTreeMap::new();
    let by_index: BTreeMap<usize, usize> = runs.iter().enumerate().map(|(i, run)| (run.entry.index, i)).collect();
    let mut misfits: BTreeMap<(*const Outline, *const Outline), Vec<usize>> = BTreeMap::new();
    for (i, run) in runs.iter().enumerate() {
        let Some(outline) = &run.outline else { continue };
        let parent = run.entry.parent.and_then(|parent| by_index.get(&parent)).map(|&parent| &runs[parent]);
        match (parent, &run.config.train.init) {
            (Some(parent), _) => {
                let Some(start) = &parent.outline else { continue };
                if shapes(start) != shapes(outline) {
                    misfits.entry((std::rc::Rc::as_ptr(start), std::rc::Rc::as_ptr(outline))).or_default().push(i);
                }
            }
            (None, Some(init)) if run.entry.parent.is_none() => {
                let key = (key_of_start(run.entry, source), init.clone(), std::rc::Rc::as_ptr(outline));
                files.entry(key).or_default().push(i);
            }
            (None, _) => {}
        }
    }
    for ((key, path, _), members) in files {
        let run = &runs[members[0]];
        if let Some(outline) = &run.outline
            && let Err(e) = {
                let train = &run.config.train;
                check_start(&path, train.init_sha256.as_deref(), &train.rename, &outline.network)
            }
        {
            problems.push(format!("{}: {key}: {e}", first_and_count(&members, runs)));
        }
    }
    for members in misfits.into_values() {
        let run = &runs[members[0]];
        let start = run.entry.parent.and_then(|parent| by_index.get(&parent)).map_or("", |&i| &runs[i].entry.name);
        problems.push(format!(
            "{}: its network has other tensors than that of {start}, from whose weights it starts; expected the same [model] and shape of data",
            first_and_count(&members, runs)
        ));
    }
}

/// The key that names the weights that a run starts from.
fn key_of_start(entry: &Entry, source: &StudyFile) -> String {
    let stage = source.stages.iter().find(|stage| stage.name == entry.stage);
    let from = |stage: &&Stage| stage.from.iter().any(|start| start.weights == entry.start);
    match stage.filter(|_| entry.start.is_some()).filter(from) {
        Some(stage) => format!("stage.{}.from", stage.name),
        None => "train.init".into(),
    }
}

fn shapes(outline: &Outline) -> Vec<(&String, &Vec<usize>)> {
    let layout = outline.network.layout();
    layout.parameters.iter().chain(&layout.buffers).map(|tensor| (&tensor.name, &tensor.shape)).collect()
}

/// What a stage requires of its starts is measured at their end.
fn check_requirements(runs: &[Outlined<'_>], problems: &mut Vec<String>) {
    let by_index: BTreeMap<usize, &Outlined<'_>> = runs.iter().map(|run| (run.entry.index, run)).collect();
    let mut said = std::collections::BTreeSet::new();
    for run in runs {
        let Some(start) = run.entry.parent.and_then(|parent| by_index.get(&parent)) else { continue };
        let metrics = &start.config.metrics;
        for name in run.entry.require.keys() {
            // An unknown name is reported when the study is expanded.
            let Some(by) = BestBy::ALL.into_iter().find_map(|(known, by)| (known == name).then_some(by)) else {
                continue;
            };
            let measured = metrics.evaluate && metrics.at_ends;
            let needs_test = by.is_of_test();
            let has_test = start.config.data.test_limit != Some(0);
            if (!measured || needs_test && !has_test) && said.insert((&run.entry.stage, name, &start.entry.stage)) {
                problems.push(format!(
                    "stage.{}.require.{name}: is not measured at the end of the runs of stage {}; expected metrics.evaluate and \
                     metrics.at_ends on there",
                    run.entry.stage, start.entry.stage
                ));
            }
        }
    }
}

/// The groups of a stage are measured on one loss.
fn check_losses(runs: &[Outlined<'_>], problems: &mut Vec<String>) {
    let mut stages: BTreeMap<&str, Vec<(Loss, Vec<String>)>> = BTreeMap::new();
    for run in runs.iter().filter(|run| run.config.metrics.is_on()) {
        let Some(outline) = &run.outline else { continue };
        let group = group_name(run.entry);
        let of_stage = stages.entry(&run.entry.stage).or_default();
        match of_stage.iter_mut().find(|(loss, _)| loss.is_same_as(&outline.measured)) {
            Some((_, groups)) if groups.contains(&group) => {}
            Some((_, groups)) => groups.push(group),
            None => of_stage.push((outline.measured, vec![group])),
        }
    }
    for (stage, losses) in stages.iter().filter(|(_, losses)| losses.len() > 1) {
        let each: Vec<String> =
            losses.iter().map(|(loss, groups)| format!("{loss} in {}", groups.join(", "))).collect();
        let smoothest = losses.iter().map(|(loss, _)| loss).max_by(|a, b| a.smoothing.total_cmp(&b.smoothing));
        let example = smoothest.map_or(String::new(), |loss| format!("loss = {}", in_toml(loss)));
        problems.push(format!(
            "stage.{stage}: its groups are measured on different losses, so that their losses and curvatures cannot be compared: {}. \
             Write {example}, or another loss, under [measure], and all are measured on it, whatever they train on; or loss = \"own\" \
             where this is meant",
            each.join("; ")
        ));
    }
}

fn in_toml(loss: &Loss) -> String {
    format!("{{ kind = \"{}\", smoothing = {:?} }}", loss.kind.name(), loss.smoothing)
}

/// A run among those of its stage that differ in more than the seed.
fn group_name(entry: &Entry) -> String {
    let labels: Vec<String> = entry.labels.iter().map(|(axis, label)| format!("{axis} {label:?}")).collect();
    if labels.is_empty() { "all runs".into() } else { labels.join(" with ") }
}

/// The runs that a problem is of: the first, and how many more.
fn first_and_count(members: &[usize], runs: &[Outlined<'_>]) -> String {
    let first = &runs[members[0]].entry.name;
    match members.len() {
        1 => first.clone(),
        2 => format!("{first} and another run"),
        n => format!("{first} and {} other runs", n - 1),
    }
}
