//! How each figure of a page is made from its runs.

mod bound;
mod correlation;
mod curves;
mod finals;
mod phase;
mod samples;
mod spectra;
mod trajectories;

pub use bound::Bound;
pub use correlation::Correlation;
pub use curves::{Curves, Reference};
pub use finals::Final;
pub use phase::Phase;
pub use samples::Samples;
pub use spectra::Spectra;

use crate::{
    PlotError, Run,
    measured_loss::{KnownLoss, in_words},
    page::{Group, Page},
};

/// The error of a figure for which no run has anything.
fn nothing(title: &str, what: &str, groups: &[Group<'_>]) -> PlotError {
    let runs: usize = groups.iter().map(|g| g.counting().count()).sum();
    PlotError::Nothing { reason: format!("{title}: none of {runs} runs that neither diverged nor failed holds {what}") }
}

/// The given title, or one of our own.
fn title(given: &Option<String>, own: impl FnOnce() -> String) -> String {
    given.clone().unwrap_or_else(own)
}

/// Sentences in one paragraph; blank ones are left out.
fn sentences(parts: &[String]) -> String {
    let end = |s: &String| if s.ends_with(['.', '?', '!', ':']) { s.clone() } else { format!("{s}.") };
    parts.iter().map(|s| s.trim().to_string()).filter(|s| !s.is_empty()).map(|s| end(&s)).collect::<Vec<_>>().join(" ")
}

/// `n = 3`, or the number of each group where they differ.
fn counts(counted: &[(String, usize)]) -> String {
    match counted {
        [] => String::new(),
        [(_, n), rest @ ..] if rest.iter().all(|(_, m)| m == n) => match rest.is_empty() {
            true => format!("n = {n}"),
            false => format!("n = {n} each"),
        },
        all => {
            let each: Vec<String> = all.iter().map(|(name, n)| format!("{n} ({name})")).collect();
            format!("n = {}", each.join(", "))
        }
    }
}

/// What is said of runs that diverged or failed.
fn left_out(groups: &[Group<'_>]) -> String {
    let count = |status: &str| groups.iter().flat_map(|g| &g.runs).filter(|run| run.status == status).count();
    let parts: Vec<String> = ["diverged", "failed"]
        .into_iter()
        .map(|status| (count(status), status))
        .filter(|(n, _)| *n > 0)
        .map(|(n, status)| format!("{n} {status}"))
        .collect();
    if parts.is_empty() { String::new() } else { format!("Left out: {}", parts.join(", ")) }
}

/// What is said if the metrics of the groups depend on different losses: their levels are no measure of each other.
fn different_losses(groups: &[Group<'_>], metrics: &[&str]) -> String {
    let mut losses: Vec<(KnownLoss, Vec<&str>)> = Vec::new();
    for group in groups {
        for loss in group.runs.iter().flat_map(|run| metrics.iter().flat_map(|name| run.losses_of(name))) {
            match losses.iter_mut().find(|(known, _)| *known == loss) {
                Some((_, names)) if names.contains(&group.name.as_str()) => {}
                Some((_, names)) => names.push(&group.name),
                None => losses.push((loss, vec![&group.name])),
            }
        }
    }
    if losses.len() < 2 {
        return String::new();
    }
    let of = |(loss, names): &(KnownLoss, Vec<&str>)| match names.as_slice() {
        [one, two, three, _, ..] => format!("{} ({one}, {two}, {three} and {} more)", in_words(loss), names.len() - 3),
        few => format!("{} ({})", in_words(loss), few.join(", ")),
    };
    let each: Vec<String> = losses.iter().map(of).collect();
    format!("Not on one loss, so levels cannot be compared across: {}", each.join("; "))
}

/// The window of a running average over the rows of a run, and what is said of it. One of more than a fifth of the rows of the
/// shortest run shows little but itself, so it is not made.
fn running_average_over(window: usize, lengths: impl Iterator<Item = usize>) -> (usize, String) {
    let shortest = lengths.filter(|n| *n > 0).min().unwrap_or(0);
    match window {
        0 | 1 => (1, String::new()),
        _ if window.saturating_mul(5) > shortest => (
            1,
            format!(
                "Not smoothed: a running average over {window} rows would be over more than a fifth of the {shortest} rows of \
                 the shortest run"
            ),
        ),
        _ => (window, format!("Running average over {window} rows; the shortest run has {shortest}")),
    }
}

/// The value of an axis: a label, else a key of the configuration, else the last value of a metric, to six digits, so that settings
/// that are equal but for rounding share a place.
fn on_axis(run: &Run, axis: &str) -> Option<String> {
    let of_metric =
        || run.last(axis).map(|value| format!("{:e}", format!("{value:.5e}").parse::<f64>().unwrap_or(value)));
    run.labels.get(axis).cloned().or_else(|| run.config_value(axis)).or_else(of_metric)
}

/// The values of an axis: its numbers in order, or its names as they appear.
struct AxisValues {
    names: Vec<String>,
    numbers: Option<Vec<f64>>,
}

impl AxisValues {
    fn of(page: &Page, runs: &[&Run], axis: &str) -> Result<Self, PlotError> {
        let mut names: Vec<String> = Vec::new();
        for value in runs.iter().filter_map(|run| on_axis(run, axis)) {
            if !names.contains(&value) {
                names.push(value);
            }
        }
        if names.is_empty() {
            let known: std::collections::BTreeSet<&str> =
                page.runs.iter().flat_map(|run| run.labels.keys()).map(String::as_str).collect();
            let known: Vec<&str> = known.into_iter().collect();
            let reason =
                format!("no run has the axis {axis}; expected a metric, a key or one of: {}", known.join(", "));
            return Err(PlotError::Nothing { reason });
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
    fn index(&self, value: &str) -> Option<usize> {
        match &self.numbers {
            Some(numbers) => value.parse::<f64>().ok().and_then(|v| numbers.iter().position(|&n| n == v)),
            None => self.names.iter().position(|name| name == value),
        }
    }

    /// Its position along an axis: the number, or the place among the names.
    fn at(&self, index: usize) -> f64 {
        self.numbers.as_ref().map_or(index as f64, |numbers| numbers[index])
    }

    fn len(&self) -> usize {
        self.numbers.as_ref().map_or(self.names.len(), Vec::len)
    }

    /// The axis, with names where the values are not numbers.
    fn axis(&self, label: &str, log: bool) -> crate::Axis {
        match &self.numbers {
            Some(_) => {
                crate::Axis { scale: crate::figure::scale(log), ..crate::Axis::linear(crate::metric::words(label)) }
            }
            None => crate::Axis::of_names(label, self.names.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_at_most_a_fifth_of_the_rows() {
        let over = |window, lengths: &[usize]| running_average_over(window, lengths.iter().copied());
        assert_eq!(over(0, &[6]), (1, String::new()));
        assert_eq!(over(10, &[50, 80]), (10, "Running average over 10 rows; the shortest run has 50".into()));
        let (window, said) = over(10, &[49, 80]);
        assert!(window == 1 && said.starts_with("Not smoothed: a running average over 10 rows"), "{said}");
        assert_eq!(over(usize::MAX, &[6]).0, 1);
    }
}
