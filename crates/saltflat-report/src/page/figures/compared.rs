//! The lines that curves are compared with, as they are drawn.

use super::common::sentences;
use super::level::Level;
use super::run_values::median_line;
use crate::page::contents::Group;
use crate::statistics::extremes;
use crate::{CurveAxis, Run, Series, SeriesStyle, Spread, number};

/// The lines of a figure.
#[derive(Default)]
pub(super) struct Compared {
    pub(super) series: Vec<Series>,
    /// A sentence each.
    pub(super) sentences: Vec<String>,
    /// Which of the chosen lines have no values, and why.
    pub(super) missing: String,
}

impl Compared {
    /// The chosen lines of the metric `y`, or those of the catalogue, for the runs that are drawn of each group. What is missing is said only
    /// of lines that somebody chose.
    pub(super) fn new(chosen: Option<&[Level]>, y: &str, over: &CurveAxis, drawn: &[(&Group<'_>, Vec<&Run>)]) -> Self {
        let has_momentum = drawn.iter().flat_map(|(_, runs)| runs).any(|run| run.momentum() > 0.0);
        let automatic = || Level::of_metric(y, has_momentum);
        let mut compared = Self::default();
        for level in chosen.map_or_else(automatic, <[Level]>::to_vec) {
            let (mut found, mut reasons) = (Vec::new(), Vec::new());
            for (group, runs) in drawn {
                let mut curves = Vec::new();
                for run in runs {
                    match level.values(run, y, over) {
                        Ok(points) => curves.push(points),
                        Err(reason) => reasons.push(reason),
                    }
                }
                found.extend(median_line(group, &curves));
            }
            if chosen.is_some()
                && let Some(reason) = reasons.first()
            {
                compared.missing = sentences(&[compared.missing, format!("No line {}: {reason}", level.name())]);
            }
            compared.add(&level, found);
        }
        compared
    }

    /// One grey line if all values of all groups are equal up to rounding, else a line a group in its colour.
    fn add(&mut self, level: &Level, found: Vec<Series>) {
        let values = |axis: fn(&(f64, f64)) -> f64| found.iter().flat_map(|s| &s.points).map(axis).collect::<Vec<_>>();
        let (Some((left, right)), Some((low, high))) = (extremes(&values(|p| p.0)), extremes(&values(|p| p.1))) else {
            return;
        };
        let name = level.name();
        if high - low <= 1e-9 * high.abs().max(low.abs()) {
            let label = if matches!(level, Level::Constant(_)) { name } else { format!("{name} = {}", number(low)) };
            self.sentences.push(format!("Line {label}"));
            self.series.push(Series::reference(label, vec![(left, low), (right, low)]));
            return;
        }
        for line in found {
            let ys: Vec<f64> = line.points.iter().map(|p| p.1).collect();
            let value = extremes(&ys).filter(|(low, high)| low == high);
            let value = value.map_or(String::new(), |(low, _)| format!(" = {}", number(low)));
            let label = format!("{name}{value}, {}", line.label);
            self.sentences.push(format!("Line {label}"));
            self.series.push(Series { look: SeriesStyle::Dashed, spread: Spread::None, label, ..line });
        }
    }
}
