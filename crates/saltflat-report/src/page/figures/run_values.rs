//! The values that runs have along an axis, the runs of a group as lines, and how their mean grows.

use std::collections::BTreeSet;

use super::common::metric_axis;
use crate::page::contents::{Group, Page};
use crate::run::each_once;
use crate::statistics::{extremes, growth, median};
use crate::{Axis, ReportError, Run, Series, SeriesStyle, Spread, with_error};

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
        let names = each_once(runs.iter().filter_map(|run| axis_value(run, axis)));
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

/// A faint line a run, without entries in the legend.
pub(super) fn faint_lines(group: &Group<'_>, curves: &[Vec<(f64, f64)>]) -> Vec<Series> {
    let line = |curve: &Vec<(f64, f64)>| Series {
        look: SeriesStyle::Thin,
        group: Some(group.index),
        ..Series::line("", curve.clone())
    };
    curves.iter().map(line).collect()
}

/// The values of all runs at each x that one of them has, in order.
pub(super) fn at_each_x(curves: &[Vec<(f64, f64)>]) -> Vec<(f64, Vec<f64>)> {
    let mut all = curves.concat();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    all.chunk_by(|a, b| a.0 == b.0).map(|same| (same[0].0, same.iter().map(|p| p.1).collect())).collect()
}

/// The mean over runs at each x that all of them have.
pub(super) fn mean_line(group: &Group<'_>, curves: &[Vec<(f64, f64)>]) -> Option<Series> {
    let whole = at_each_x(curves).into_iter().filter(|(_, ys)| ys.len() == curves.len());
    let points: Vec<(f64, f64)> = whole.map(|(x, ys)| (x, ys.iter().sum::<f64>() / ys.len() as f64)).collect();
    (!points.is_empty()).then(|| Series { group: Some(group.index), ..Series::line(&group.name, points) })
}

/// The median over runs at each x, with a band if there are several.
pub(super) fn median_line(group: &Group<'_>, curves: &[Vec<(f64, f64)>]) -> Option<Series> {
    let (mut points, mut band) = (Vec::new(), Vec::new());
    for (x, ys) in at_each_x(curves) {
        points.extend(median(&ys).map(|middle| (x, middle)));
        band.extend(extremes(&ys));
    }
    let spread = if curves.len() > 1 { Spread::Band(band) } else { Spread::None };
    (!points.is_empty()).then(|| Series { spread, group: Some(group.index), ..Series::line(&group.name, points) })
}

/// `NAME: from step 0 to 10 the mean over 200 runs grows by a factor of 1.42 a step (its logarithm by 0.351 ± 0.012)`; to where
/// all runs reach, if that is before the end of the window.
pub(super) fn growth_in_words(name: &str, curves: &[Vec<(f64, f64)>], [from, to]: [f64; 2], over: &str) -> String {
    let reach = |curve: &Vec<(f64, f64)>| curve.iter().map(|p| p.0).filter(|&x| x <= to).fold(from, f64::max);
    let to = curves.iter().map(reach).fold(to, f64::min);
    match growth(curves, from, to) {
        Some(rate) => {
            let of_logarithm = with_error(rate.mean, rate.std_error);
            let factor = with_error(rate.mean.exp(), rate.std_error.map(|error| error * rate.mean.exp()));
            format!(
                "{name}: from {over} {from} to {to} the mean over {} runs grows by a factor of {factor} a {over} (its logarithm by \
                 {of_logarithm}; errors of a jackknife over the runs)",
                rate.n
            )
        }
        None => format!("{name}: no growth can be said from {over} {from} to {to}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group() -> Group<'static> {
        Group { name: "flips".into(), index: 0, runs: Vec::new() }
    }

    #[test]
    fn means_are_over_equal_x_also_between_whole_numbers() {
        let curves = [vec![(0.25, 1.0), (0.75, 5.0)], vec![(0.25, 2.0), (0.75, 3.0), (0.9, 7.0)]];
        assert_eq!(mean_line(&group(), &curves).unwrap().points, [(0.25, 1.5), (0.75, 4.0)]);
    }

    #[test]
    fn seeds_meet_at_equal_x_and_only_there() {
        let curves = [vec![(0.25, 1.0), (0.75, 5.0)], vec![(0.75, 3.0), (0.25, 2.0)], vec![(0.25, 9.0)]];
        let series = median_line(&group(), &curves).unwrap();
        assert_eq!(series.points, [(0.25, 2.0), (0.75, 4.0)]);
        assert_eq!(series.spread, Spread::Band(vec![(1.0, 9.0), (3.0, 5.0)]));
        assert!(median_line(&group(), &[Vec::new()]).is_none());
    }
}
