//! Which runs are one, since means over seeds count each once; and what tells apart runs that have no labels.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use crate::Run;

/// Keys of a configuration that say where files are, or what a run is called. The data are known by their checksums.
const NAMES_AND_PLACES: [&str; 3] = ["run.name", "data.path", "data.data_dir"];

/// What makes a run: two runs of one identity are no independent samples, wherever they are and whatever they are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    config: BTreeMap<String, String>,
    data: Vec<String>,
    seed: u64,
    /// Labels of a trial of a lab, whose trials share one configuration.
    trial: Option<BTreeMap<String, String>>,
}

impl Identity {
    pub fn of(run: &Run) -> Self {
        let mut config = run.flat_config();
        config.retain(|key, _| !NAMES_AND_PLACES.contains(&key.as_str()) && !is_bookkeeping(key));
        // Two spellings of the path of one start.
        if let Some(init) = config.get_mut("train.init")
            && let Ok(path) = fs::canonicalize(&*init)
        {
            *init = path.to_string_lossy().into_owned();
        }
        let mut data: Vec<String> = run.environment.datasets().into_iter().filter_map(|file| file.sha256).collect();
        data.sort();
        let trial = run.lab().map(|_| run.labels.clone());
        Self { config, data, seed: run.seed, trial }
    }
}

/// The runs without those that are given again: the same folder, a link to it, a copy, or another run of equal configuration,
/// seed and data in the same group. Of those the one that got furthest stays. The second value says, a sentence each, what was
/// left out.
pub fn distinct(runs: Vec<Run>) -> (Vec<Run>, Vec<String>) {
    let place = |run: &Run| fs::canonicalize(&run.folder).ok();
    let reached = |run: &Run| {
        let rows = run.epochs.iter().chain(&run.measurements);
        rows.map(|row| row.count("step")).max()
    };
    let mut kept: Vec<(Identity, Option<PathBuf>, Run)> = Vec::new();
    let mut left_out = Vec::new();
    for run in runs {
        let (identity, folder) = (Identity::of(&run), place(&run));
        let same = kept
            .iter_mut()
            .find(|(known, _, other)| *known == identity && other.stage == run.stage && other.labels == run.labels);
        let Some((_, known_folder, known)) = same else {
            kept.push((identity, folder, run));
            continue;
        };
        let why = match folder.is_some() && folder == *known_folder {
            true => "they are one folder",
            false => "they have the same configuration, seed and data, so they are not independent",
        };
        let [first, second] = [&*known, &run].map(|run| run.folder.display().to_string());
        if first == second {
            left_out.push(format!("{first} is given more than once and counts once"));
        } else if reached(&run) > reached(known) {
            left_out.push(format!("{second} is counted and {first} is not: {why}"));
            *known = run;
            *known_folder = folder;
        } else {
            left_out.push(format!("{second} is left out, since {first} is counted: {why}"));
        }
    }
    (kept.into_iter().map(|(.., run)| run).collect(), left_out)
}

/// Keys of a configuration that do not tell groups apart: the seeds of a group differ in them.
const OF_ONE_RUN: [&str; 5] = ["run.seed", "run.name", "train.init", "train.init_sha256", "data.seed"];

/// True for keys that change nothing in the numbers of a run: whether there are event files and files of vectors, and when it is saved.
pub(crate) fn is_bookkeeping(key: &str) -> bool {
    key == "run.tensorboard" || key == "metrics.vectors" || key.starts_with("train.checkpoint.")
}

/// Labels runs by the keys in which the configurations of their stage differ, beside the labels that a lab gave its trials. Seeds,
/// names and starts are left out, and so are keys that follow from the `kind` of their section, or of one around it: those on
/// which all runs that have them agree.
pub fn label_by_differences(runs: &mut [Run]) {
    let stages: BTreeSet<Option<String>> = runs.iter().map(|run| run.stage.clone()).collect();
    for stage in stages {
        let mut of_stage: Vec<&mut Run> = runs.iter_mut().filter(|run| run.stage == stage).collect();
        if stage.is_none() {
            of_stage.iter_mut().for_each(|run| run.labels.clear());
        }
        label_within(&mut of_stage);
    }
}

fn label_within(runs: &mut [&mut Run]) {
    let flat: Vec<BTreeMap<String, String>> = runs.iter().map(|run| run.flat_config()).collect();
    let keys: BTreeSet<&String> = flat.iter().flat_map(|config| config.keys()).collect();
    let differs = |key: &&&String| flat.windows(2).any(|pair| pair[0].get(**key) != pair[1].get(**key));
    let follows = |key: &&&String| {
        let mut kinds = key.match_indices('.').map(|(end, _)| format!("{}.kind", &key[..end]));
        let values: BTreeSet<&String> = flat.iter().filter_map(|config| config.get(**key)).collect();
        values.len() == 1 && kinds.any(|kind| differs(&&&kind))
    };
    let axes: Vec<&String> = keys
        .iter()
        .filter(|key| !OF_ONE_RUN.contains(&key.as_str()) && !is_bookkeeping(key))
        .filter(differs)
        .filter(|key| !follows(key))
        .copied()
        .collect();
    for (run, config) in runs.iter_mut().zip(&flat) {
        run.labels.extend(axes.iter().filter_map(|axis| Some(((*axis).clone(), config.get(*axis)?.clone()))));
    }
}

#[cfg(test)]
mod tests {
    use saltflat_record::Environment;

    use super::*;

    fn run(name: &str, config: &str, data: &str, step: u64) -> Run {
        let config: toml::Table = config.parse().unwrap();
        let seed = config["run"]["seed"].as_integer().unwrap().unsigned_abs();
        let environment = serde_json::json!({ "datasets": [{ "file": name, "sha256": data }] });
        let row = serde_json::json!({ "kind": "measurement", "step": step });
        Run {
            folder: name.into(),
            name: name.into(),
            config,
            seed,
            environment: Environment::new(&environment),
            measurements: vec![row.as_object().unwrap().clone().into()],
            ..Run::default()
        }
    }

    fn names(runs: &[Run]) -> Vec<&str> {
        runs.iter().map(|run| run.name.as_str()).collect()
    }

    #[test]
    fn runs_of_equal_configuration_seed_and_data_are_one() {
        let of = |name: &str, seed: u64| {
            format!("[run]\nname = '{name}'\nseed = {seed}\n[data]\npath = '/{name}/x'\n[optimizer]\nlr = 0.1")
        };
        let runs = vec![
            run("a", &of("a", 0), "d", 10),
            run("b", &of("b", 0), "d", 20),
            run("c", &of("c", 0), "d", 5),
            run("other seed", &of("a", 1), "d", 5),
            run("other data", &of("a", 0), "e", 5),
            run("other rate", &of("a", 0).replace("0.1", "0.2"), "d", 5),
            run("saved more often", &(of("a", 0) + "\n[train]\ncheckpoint = { every_steps = 3, keep = 1 }"), "d", 5),
        ];
        let (kept, said) = distinct(runs);
        // The one with most steps stays, in the place of the first.
        assert_eq!(names(&kept), ["b", "other seed", "other data", "other rate"]);
        assert_eq!(said.len(), 3);
        assert!(said[0].starts_with("b is counted and a is not: they have the same configuration, seed and data"));
        assert!(said[1].starts_with("c is left out, since b is counted"));
        assert!(said[2].starts_with("saved more often is left out, since b is counted"));
    }

    /// The groups of a study are what its file calls so.
    #[test]
    fn equal_runs_in_two_groups_stay_apart() {
        let config = "[run]\nseed = 0";
        let mut runs = vec![run("a", config, "d", 1), run("b", config, "d", 1)];
        runs[1].labels.insert("noise".into(), "again".into());
        assert_eq!(names(&distinct(runs).0), ["a", "b"]);
    }

    fn of_config(config: &str) -> Run {
        Run { config: toml::from_str(config).unwrap(), ..Run::default() }
    }

    #[test]
    fn labels_are_what_differs() {
        let mut runs = [
            of_config("[run]\nseed = 0\n[noise]\nkind = 'none'\n[optimizer]\nlr = 0.1"),
            of_config("[run]\nseed = 1\n[noise]\nkind = 'label-flip'\nprobability = 0.2\n[optimizer]\nlr = 0.1"),
        ];
        label_by_differences(&mut runs);
        assert_eq!(runs[0].group(), "noise none");
        assert_eq!(runs[1].group(), "label-flip");
        let other =
            of_config("[run]\nseed = 1\n[noise]\nkind = 'label-flip'\nprobability = 0.4\n[optimizer]\nlr = 100.0");
        let mut runs = [runs[0].clone(), runs[1].clone(), other];
        label_by_differences(&mut runs);
        assert_eq!(runs[0].group(), "noise none, lr 0.1");
        assert_eq!(runs[2].group(), "label-flip, probability 0.4, lr 100");
        assert_eq!(runs[2].labels["noise.probability"], "0.4");
        label_by_differences(&mut runs[..1]);
        assert_eq!(runs[0].group(), "all runs");
    }

    /// Of a list of noises the kinds together are the label, and the keys of each follow from them.
    #[test]
    fn labels_of_several_noises() {
        let both = |sigma: &str| {
            of_config(&format!(
                "[run]\nseed = 0\n[[noise]]\nkind = 'label-flip'\nprobability = 0.2\n[noise.schedule]\nkind = 'constant'\n\
                 [[noise]]\nkind = 'logit-gaussian'\nsigma = {sigma}"
            ))
        };
        let flips =
            "[run]\nseed = 0\n[noise]\nkind = 'label-flip'\nprobability = 0.2\n[noise.schedule]\nkind = 'constant'";
        let mut runs = [of_config("[run]\nseed = 0\n[noise]\nkind = 'none'"), of_config(flips), both("0.1")];
        label_by_differences(&mut runs);
        assert_eq!(runs.each_ref().map(Run::group), ["noise none", "label-flip", "label-flip + logit-gaussian"]);
        let mut runs = [both("0.1"), both("0.3")];
        label_by_differences(&mut runs);
        assert_eq!(runs.each_ref().map(Run::group), ["sigma 0.1", "sigma 0.3"]);
        assert_eq!(runs[0].labels["noise.logit-gaussian.sigma"], "0.1");
    }
}
