//! The values that runs have along an axis.

use std::collections::BTreeSet;

use super::common::metric_axis;
use crate::{Axis, ReportError, Run, page::contents::Page};

/// The value of an axis: a label, else a key of the configuration, else the last value of a metric, to six digits, so that settings
/// that are equal but for rounding share a place.
pub(super) fn axis_value(run: &Run, axis: &str) -> Option<String> {
    let of_metric =
        || run.last(axis).map(|value| format!("{:e}", format!("{value:.5e}").parse::<f64>().unwrap_or(value)));
    run.labels.get(axis).cloned().or_else(|| run.config_value(axis)).or_else(of_metric)
}

/// The values of an axis: its numbers in order, or its names as they appear.
pub(super) struct AxisValues {
    pub names: Vec<String>,
    pub numbers: Option<Vec<f64>>,
}

impl AxisValues {
    pub fn of(page: &Page, runs: &[&Run], axis: &str) -> Result<Self, ReportError> {
        let mut names: Vec<String> = Vec::new();
        for value in runs.iter().filter_map(|run| axis_value(run, axis)) {
            if !names.contains(&value) {
                names.push(value);
            }
        }
        if names.is_empty() {
            let known: BTreeSet<&str> =
                page.runs.iter().flat_map(|run| run.labels.keys()).map(String::as_str).collect();
            let known: Vec<&str> = known.into_iter().collect();
            let reason =
                format!("no run has the axis {axis}; expected a metric, a key or one of: {}", known.join(", "));
            return Err(ReportError::Nothing { reason });
        }
        let number = |name: &String| name.parse::<f64>().ok().filter(|v| v.is_finite());
        let numbers: Option<Vec<f64>> = names.iter().map(number).collect();
        let numbers = numbers.map(|mut numbers| {
            numbers.sort_by(f64::total_cmp);
            numbers.dedup();
            numbers
        });
        Ok(Self { names, numbers })
    }

    /// Which of the values this is.
    pub fn index(&self, value: &str) -> Option<usize> {
        match &self.numbers {
            Some(numbers) => value.parse::<f64>().ok().and_then(|v| numbers.iter().position(|&n| n == v)),
            None => self.names.iter().position(|name| name == value),
        }
    }

    /// Its position along an axis: the number, or the place among the names.
    pub fn at(&self, index: usize) -> f64 {
        self.numbers.as_ref().map_or(index as f64, |numbers| numbers[index])
    }

    pub fn len(&self) -> usize {
        self.numbers.as_ref().map_or(self.names.len(), Vec::len)
    }

    /// The axis, with names if the values are not numbers.
    pub fn axis(&self, label: &str, log: bool) -> Axis {
        match &self.numbers {
            Some(_) => metric_axis(label, log),
            None => Axis::of_names(label, self.names.clone()),
        }
    }
}
