//! Which runs are one: means over seeds count each once.

use std::{collections::BTreeMap, fs, path::PathBuf};

use crate::{Run, run_labels::is_bookkeeping};

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
}
