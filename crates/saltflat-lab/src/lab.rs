//! What every lab has.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use crate::settings::Described;

/// A small experiment without a network: a claim of a paper, and the trials that test it.
pub trait Lab: Described + Send + Sync {
    /// Its trials, in the order in which the page names their groups.
    fn trials(&self) -> Vec<Trial>;

    /// Makes one trial: a pure function of the settings, the trial's labels and its seed.
    ///
    /// # Errors
    /// [`Stopped`] soon after [`Progress::stop`] was called.
    fn run(&self, trial: &Trial, progress: &Progress) -> Result<Outcome, Stopped>;

    /// What the paper says and what the trials say; they are given in the order of [`trials`](Self::trials).
    fn findings(&self, done: &[(Trial, Outcome)]) -> Vec<Finding>;
}

/// One trajectory, one diagram, one curve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// Its labels, which name its group: axis (`noise`) to value (`label noise`).
    pub labels: BTreeMap<String, String>,
    /// Trials that differ in their seeds alone are one group.
    pub seed: u64,
    /// How many steps it takes at most, by which progress is counted.
    pub steps: u64,
}

impl Trial {
    /// A trial with these labels.
    pub fn new(labels: &[(&str, String)], seed: u64, steps: u64) -> Self {
        Self { labels: labels.iter().map(|(axis, value)| (axis.to_string(), value.clone())).collect(), seed, steps }
    }

    /// Trials with these labels, one for each seed from 0 to `seeds` − 1.
    pub fn for_seeds(labels: &[(&str, String)], seeds: u64, steps: u64) -> impl Iterator<Item = Self> + use<> {
        let first = Self::new(labels, 0, steps);
        (0..seeds).map(move |seed| Self { seed, ..first.clone() })
    }

    /// The value of an axis; empty if it has none.
    pub fn label(&self, axis: &str) -> &str {
        self.labels.get(axis).map_or("", String::as_str)
    }
}

/// Values at a step, or at a point of a diagram.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// Steps made; in a diagram, the point's number.
    pub step: u64,
    /// Name to value. What is not finite is written as null.
    pub values: BTreeMap<String, f64>,
}

impl Row {
    /// A row with these values.
    pub fn new(step: u64, values: &[(&str, f64)]) -> Self {
        Self { step, values: values.iter().map(|(name, value)| (name.to_string(), *value)).collect() }
    }

    /// The value of this name; NaN if there is none.
    pub fn value(&self, name: &str) -> f64 {
        self.values.get(name).copied().unwrap_or(f64::NAN)
    }
}

/// What a trial gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The rows, in the order of their steps.
    pub rows: Vec<Row>,
    /// Why it ended before its last step: the trajectory left all bounds. A result, not an error.
    pub diverged: Option<String>,
}

impl Outcome {
    /// The last value of this name; `None` if the trial diverged, or has none that is finite.
    pub fn last(&self, name: &str) -> Option<f64> {
        if self.diverged.is_some() {
            return None;
        }
        self.rows.iter().rev().find_map(|row| row.values.get(name).copied()).filter(|value| value.is_finite())
    }
}

/// The outcomes of the trials with this value on an axis.
pub(crate) fn outcomes<'a>(done: &'a [(Trial, Outcome)], axis: &str, value: &str) -> Vec<&'a Outcome> {
    done.iter().filter(|(trial, _)| trial.label(axis) == value).map(|(_, outcome)| outcome).collect()
}

/// The [last](Outcome::last) values of this name, of the outcomes that have one.
pub(crate) fn last_values<'a>(outcomes: impl IntoIterator<Item = &'a Outcome>, name: &str) -> Vec<f64> {
    outcomes.into_iter().filter_map(|outcome| outcome.last(name)).collect()
}

/// A claim and what was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What the paper says.
    pub claim: String,
    /// What was seen, with its numbers and their errors.
    pub found: String,
    /// Whether it agrees; `None` if that cannot be said.
    pub holds: Option<bool>,
}

/// The trial was asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped;

/// Counts the steps of all trials, and tells the trials to stop.
#[derive(Debug, Default)]
pub struct Progress {
    steps: AtomicU64,
    stop: AtomicBool,
}

impl Progress {
    /// Adds steps that a trial made. A trial calls this every few milliseconds.
    ///
    /// # Errors
    /// [`Stopped`] if it should stop.
    pub fn advance(&self, steps: u64) -> Result<(), Stopped> {
        self.steps.fetch_add(steps, Ordering::Relaxed);
        if self.stop.load(Ordering::Relaxed) { Err(Stopped) } else { Ok(()) }
    }

    /// Steps made so far.
    pub fn steps(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }

    /// Tells all trials to stop.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
