//! Labels of runs that have none: what tells their configurations apart.

use std::collections::{BTreeMap, BTreeSet};

use crate::{flat_config::flat_config, run::Run};

/// Keys of a configuration that do not tell groups apart: the seeds of a group differ in them.
const OF_ONE_RUN: [&str; 5] = ["run.seed", "run.name", "train.init", "train.init_sha256", "data.seed"];

/// True for keys that change nothing in the numbers of a run: where its event files and checkpoints are, and when it is saved.
pub(crate) fn is_bookkeeping(key: &str) -> bool {
    key == "run.tensorboard" || key.starts_with("train.checkpoint.")
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
    let flat: Vec<BTreeMap<String, String>> = runs.iter().map(|run| flat_config(&run.config)).collect();
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
    use super::*;

    fn run(config: &str) -> Run {
        Run { config: toml::from_str(config).unwrap(), ..Run::default() }
    }

    #[test]
    fn labels_are_what_differs() {
        let mut runs = [
            run("[run]\nseed = 0\n[noise]\nkind = 'none'\n[optimizer]\nlr = 0.1"),
            run("[run]\nseed = 1\n[noise]\nkind = 'label-flip'\nprobability = 0.2\n[optimizer]\nlr = 0.1"),
        ];
        label_by_differences(&mut runs);
        assert_eq!(runs[0].group(), "noise none");
        assert_eq!(runs[1].group(), "label-flip");
        let other = run("[run]\nseed = 1\n[noise]\nkind = 'label-flip'\nprobability = 0.4\n[optimizer]\nlr = 100.0");
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
            run(&format!(
                "[run]\nseed = 0\n[[noise]]\nkind = 'label-flip'\nprobability = 0.2\n[noise.schedule]\nkind = 'constant'\n\
                 [[noise]]\nkind = 'logit-gaussian'\nsigma = {sigma}"
            ))
        };
        let flips =
            "[run]\nseed = 0\n[noise]\nkind = 'label-flip'\nprobability = 0.2\n[noise.schedule]\nkind = 'constant'";
        let mut runs = [run("[run]\nseed = 0\n[noise]\nkind = 'none'"), run(flips), both("0.1")];
        label_by_differences(&mut runs);
        assert_eq!(runs.each_ref().map(Run::group), ["noise none", "label-flip", "label-flip + logit-gaussian"]);
        let mut runs = [both("0.1"), both("0.3")];
        label_by_differences(&mut runs);
        assert_eq!(runs.each_ref().map(Run::group), ["sigma 0.1", "sigma 0.3"]);
        assert_eq!(runs[0].labels["noise.logit-gaussian.sigma"], "0.1");
    }
}
