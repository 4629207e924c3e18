//! A measured quantity against theoretical bounds.

use saltflat_config::Section;

use super::common::{CommonKeys, FigureKind, different_losses, draw_lines, left_out, metric_axis, metric_key, no_data};
use crate::metric::{heading, words};
use crate::page::contents::{Drawing, Figure, Name, Page};
use crate::statistics::extremes;
use crate::{CurveAxis, ReportError, Run, Series, SeriesStyle, number};

/// A measured quantity against each of some bounds: a point for each run, from the last measurement of both, and the diagonal.
#[derive(Debug, Clone, Default)]
pub struct Bound {
    /// The metric.
    pub measured: String,
    /// The bounds, a figure each; `stability_edge` is 2(1 + β)/η.
    pub bounds: Vec<String>,
    /// The keys of every kind.
    pub common: CommonKeys,
}

impl FigureKind for Bound {
    const NAME: &'static str = "bound";
    const EXAMPLE: &'static str =
        "measured = \"hessian_frobenius\"\nbounds = [\"wu_bound_frobenius\", \"stability_edge\"]\n";

    fn read(section: &mut Section) -> Self {
        Self {
            measured: metric_key(section, "measured"),
            bounds: section.required("bounds", "a list of metrics", |_| true),
            common: CommonKeys::read(section),
        }
    }
}

impl Figure for Bound {
    fn draw(&self, page: &Page) -> Result<Vec<Drawing>, ReportError> {
        self.bounds.iter().map(|bound| self.against(page, bound)).collect()
    }

    fn names(&self) -> Vec<(&'static str, Name<'_>)> {
        let mut names = vec![("measured", Name::Metric(&self.measured))];
        names.extend(self.bounds.iter().map(|name| ("bounds", Name::Metric(name))));
        self.common.with_names(names)
    }
}

impl Bound {
    /// A measured quantity against bounds.
    pub fn new(measured: &str, bounds: &[&str]) -> Self {
        let bounds = bounds.iter().map(ToString::to_string).collect();
        Self { measured: measured.into(), bounds, ..Self::default() }
    }

    fn against(&self, page: &Page, bound: &str) -> Result<Drawing, ReportError> {
        let own = || heading(format!("{} against the {}", words(&self.measured), words(bound)));
        let (title, groups) = (self.common.title_or(own), self.common.select(page));
        let (mut series, mut numbers) = (Vec::new(), Vec::new());
        for group in &groups {
            let points: Vec<(f64, f64)> = group.counting().filter_map(|run| self.point(run, bound)).collect();
            let sentence =
                |&(x, y): &(f64, f64)| format!("{}: measured {}, bound {}", group.name, number(y), number(x));
            numbers.extend(points.iter().map(sentence));
            if !points.is_empty() {
                series.push(Series {
                    look: SeriesStyle::Dots,
                    group: Some(group.index),
                    ..Series::line(&group.name, points)
                });
            }
        }
        let points: Vec<(f64, f64)> = series.iter().flat_map(|s| s.points.iter().copied()).collect();
        let (low, high) = extremes(&points.iter().flat_map(|p| [p.0, p.1]).collect::<Vec<_>>())
            .ok_or_else(|| no_data(&title, &format!("{} beside {bound}", self.measured), &groups))?;
        let below = points.iter().filter(|(x, y)| y <= x).count();
        series.push(Series::reference("measured = bound", vec![(low, low), (high, high)]));
        let caption = self.common.caption(&[
            format!("{below} of {} runs lie below the bound, at their last measurement", points.len()),
            different_losses(&groups, &[&self.measured, bound]),
            left_out(&groups),
        ]);
        let axes = [bound, &self.measured].map(|metric| metric_axis(metric, low > 0.0));
        draw_lines(title, axes, series, caption, &numbers)
    }

    /// The bound and the measured value at the last step that has both.
    fn point(&self, run: &Run, bound: &str) -> Option<(f64, f64)> {
        let measured = run.curve(&self.measured, CurveAxis::Step);
        let bounds = run.curve(bound, CurveAxis::Step);
        let both = |&(step, y): &(f64, f64)| Some((bounds.iter().find(|b| b.0 == step)?.1, y));
        measured.iter().rev().find_map(both)
    }
}
