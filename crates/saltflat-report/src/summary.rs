//! The groups of a page in numbers: last values over seeds, and differences from the baseline.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    DependsOn, Group, MeasuredLoss, Page, Run, depends_on,
    identity::Identity,
    measured_loss::{KnownLoss, in_words},
    run::each_once,
    statistics::{Difference, Mean},
};

/// A number, or why there is none.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum ValueOrReason<T> {
    /// There is one.
    Value(T),
    /// There is none.
    Absent {
        /// Always null.
        mean: (),
        /// Why.
        reason: String,
    },
}

impl<T> ValueOrReason<T> {
    fn absent(reason: String) -> Self {
        Self::Absent { mean: (), reason }
    }

    /// The number, if there is one.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent { .. } => None,
        }
    }

    /// Why there is none.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Value(_) => None,
            Self::Absent { reason, .. } => Some(reason),
        }
    }
}

/// A group in numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GroupSummary {
    /// Its name.
    pub group: String,
    /// Stage of a study.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// Axis to value.
    pub labels: BTreeMap<String, String>,
    /// Number of runs.
    pub runs: usize,
    /// How they ended, with their number.
    pub statuses: BTreeMap<String, usize>,
    /// The loss that the last measurements were made on, if it is known and the same in all runs.
    pub measured_loss: Option<MeasuredLoss>,
    /// The same in words, or why there is none. Empty without measurements.
    pub measured_loss_in_words: String,
    /// Last values, over the runs that neither diverged nor failed.
    pub finals: BTreeMap<String, ValueOrReason<Mean>>,
    /// Last values less those of the baseline at the same seed.
    pub differences: BTreeMap<String, ValueOrReason<Difference>>,
}

impl Page {
    /// Every group in numbers.
    pub fn summary(&self) -> Vec<GroupSummary> {
        let metrics = self.metrics();
        self.groups().iter().map(|group| self.summary_of(group, &metrics)).collect()
    }

    fn summary_of(&self, group: &Group<'_>, metrics: &[String]) -> GroupSummary {
        let mut statuses = BTreeMap::new();
        for run in &group.runs {
            *statuses.entry(run.status.clone()).or_insert(0) += 1;
        }
        let baseline = self.baseline_of(group);
        let difference = |name: &str| match baseline.as_ref()? {
            Ok(baseline) => difference(group, baseline, name),
            Err(reason) => last(group, name).map(|_| ValueOrReason::absent(reason.clone())),
        };
        let measured = each_once(group.counting().filter_map(|run| Some(run.measured_loss(run.measurements.last()?))));
        GroupSummary {
            group: group.name.clone(),
            stage: group.stage().map(String::from),
            labels: group.runs.first().map(|run| run.labels.clone()).unwrap_or_default(),
            runs: group.runs.len(),
            statuses,
            measured_loss: match measured.as_slice() {
                [Ok(loss)] => Some(loss.clone()),
                _ => None,
            },
            measured_loss_in_words: measured.iter().map(in_words).collect::<Vec<_>>().join("; "),
            finals: metrics.iter().filter_map(|name| Some((name.clone(), last(group, name)?))).collect(),
            differences: metrics.iter().filter_map(|name| Some((name.clone(), difference(name)?))).collect(),
        }
    }
}

/// Seed of a run and, if the configuration has one of its own, of its data.
type Seeds = (u64, Option<i64>);

/// The mean of the last values of a metric; `None` if no run has one.
fn last(group: &Group<'_>, name: &str) -> Option<ValueOrReason<Mean>> {
    let mean = Mean::of(&group.finals(name))?;
    let losses = losses(group, name);
    Some(match losses.as_slice() {
        [] | [_] => ValueOrReason::Value(mean),
        several => ValueOrReason::absent(format!("its runs are not on one loss: {}", list(several))),
    })
}

/// The mean difference of the last values of a metric from those of the baseline; `None` if one of them has none.
fn difference(group: &Group<'_>, baseline: &Group<'_>, name: &str) -> Option<ValueOrReason<Difference>> {
    let (pairs, equal) = pairs(group, baseline, name);
    let of_pairs = Difference::of(&pairs);
    if of_pairs.is_none() && !equal {
        return None;
    }
    let made = match depends_on(name) {
        DependsOn::TrainingLoss => "trained",
        DependsOn::MeasuredLoss | DependsOn::NoLoss => "measured",
    };
    let reason = match (losses(group, name).as_slice(), losses(baseline, name).as_slice()) {
        ([], []) => None,
        ([Ok(own)], [Ok(other)]) if own == other => None,
        (own, other) => Some(format!("{made} on {}, and {} on {}", list(own), baseline.name, list(other))),
    };
    Some(match (reason, of_pairs) {
        (Some(reason), _) => ValueOrReason::absent(reason),
        (None, Some(difference)) => ValueOrReason::Value(difference),
        (None, None) => ValueOrReason::absent(format!(
            "its runs are those of {}, with the same configuration, seed and data",
            baseline.name
        )),
    })
}

/// The last values of a metric in two groups, a pair for each seed that both have; and whether runs were left out since they are
/// the same in both. Of runs that share their seeds (several starts) the mean is taken first.
fn pairs(group: &Group<'_>, baseline: &Group<'_>, name: &str) -> (Vec<(f64, f64)>, bool) {
    let others: Vec<(Identity, Seeds, f64)> = values(baseline, name);
    let mut equal = false;
    let mut seeds: BTreeMap<Seeds, Vec<f64>> = BTreeMap::new();
    for (identity, seed, value) in values(group, name) {
        match others.iter().any(|(other, ..)| *other == identity) {
            true => equal = true,
            false => seeds.entry(seed).or_default().push(value),
        }
    }
    let mean = |values: &[f64]| Some(Mean::of(values)?.mean);
    let pair = |(seed, own): (&Seeds, &Vec<f64>)| {
        let of_seed: Vec<f64> = others.iter().filter(|(_, other, _)| other == seed).map(|(.., value)| *value).collect();
        Some((mean(own)?, mean(&of_seed)?))
    };
    (seeds.iter().filter_map(pair).collect(), equal)
}

/// Identity, seeds (of the run and of its data) and last value of a metric of each counting run.
fn values(group: &Group<'_>, name: &str) -> Vec<(Identity, Seeds, f64)> {
    let of_data = |run: &Run| run.config.get("data")?.get("seed")?.as_integer();
    group.counting().filter_map(|run| Some((Identity::of(run), (run.seed, of_data(run)), run.last(name)?))).collect()
}

/// The losses that the last values of a metric depend on, each once; none for a metric that depends on no loss.
fn losses(group: &Group<'_>, name: &str) -> Vec<KnownLoss> {
    each_once(group.counting().filter_map(|run| run.loss_of_last(name)))
}

fn list(losses: &[KnownLoss]) -> String {
    losses.iter().map(in_words).collect::<Vec<_>>().join(" and ")
}
