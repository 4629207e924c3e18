//! What every lab has.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

/// A small world: a claim, and the trials that show it.
pub trait Lab: Send + Sync {
    /// What it is.
    fn about(&self) -> About;

    /// Its settings, all of them.
    fn settings(&self) -> toml::Table;

    /// Its trials, in the order in which the page names their groups.
    fn trials(&self) -> Vec<Trial>;

    /// Makes one trial: a pure function of the settings, the trial's labels and its seed.
    ///
    /// # Errors
    /// [`Stopped`] as soon as the watch says so.
    fn run(&self, trial: &Trial, watch: &Watch) -> Result<Outcome, Stopped>;

    /// What the paper says and what the trials say; they are given in the order of [`trials`](Self::trials).
    fn findings(&self, done: &[(Trial, Outcome)]) -> Vec<Finding>;
}

/// What a lab is.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// Its name on the command line: words with hyphens.
    pub name: &'static str,
    /// Heading of its page.
    pub title: &'static str,
    /// What is asked and how, in paragraphs with an empty line between them.
    pub text: &'static str,
    /// Paper and figure: `HaoChen et al. 2021, figure 1 (right)`.
    pub source: &'static str,
    /// Its figures as `[[figure]]` tables, as a study writes them.
    pub figures: &'static str,
}

/// One trajectory, one diagram, one curve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// What tells its group from others: axis (`noise`) to value (`label noise`).
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

    /// The value of an axis; empty where it has none.
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
}

/// What a trial gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// In the order of their steps.
    pub rows: Vec<Row>,
    /// Why it ended before its last step: the trajectory left all bounds. A result, not an error.
    pub diverged: Option<String>,
}

impl Outcome {
    /// The last value of this name that there is; `None` where it diverged or has none.
    pub fn last(&self, name: &str) -> Option<f64> {
        if self.diverged.is_some() {
            return None;
        }
        self.rows.iter().rev().find_map(|row| row.values.get(name).copied()).filter(|value| value.is_finite())
    }
}

/// A claim and what was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What the paper says.
    pub claim: String,
    /// What was seen, with its numbers and their errors.
    pub found: String,
    /// Whether it agrees; `None` where that cannot be said.
    pub holds: Option<bool>,
}

/// The trial was asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped;

/// Counts steps over all trials, and tells them to stop.
#[derive(Debug, Default)]
pub struct Watch {
    steps: AtomicU64,
    stop: AtomicBool,
}

impl Watch {
    /// Says that a trial made so many steps; asked every few milliseconds of work.
    ///
    /// # Errors
    /// [`Stopped`] where it shall stop.
    pub fn made(&self, steps: u64) -> Result<(), Stopped> {
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
