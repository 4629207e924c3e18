//! A measured quantity against theoretical bounds.

use serde::Deserialize;

use super::{different_losses, left_out, nothing, sentences, title};
use crate::{
    Axis, LinePlot, Look, Over, PlotError, Run, Scale, Series,
    figure::Drawing,
    lines,
    metric::{heading, words},
    number,
    page::Page,
    statistics::extremes,
};

/// A measured quantity against each of some bounds: a point a run, where both were last measured, and the diagonal.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bound {
    /// The metric.
    pub measured: String,
    /// The bounds, a figure each; `stability_edge` is 2(1 + β)/η.
    pub bounds: Vec<String>,
    /// Only runs of this stage.
    #[serde(default)]
    pub stage: Option<String>,
    /// Only these groups.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Heading; else the metrics in words.
    #[serde(default)]
    pub title: Option<String>,
    /// Goes before what is always said.
    #[serde(default)]
    pub caption: String,
}

impl Bound {
    pub(crate) fn draw(&self, page: &Page) -> Result<Vec<Drawing>, PlotError> {
        self.bounds.iter().map(|bound| self.against(page, bound)).collect()
    }

    fn against(&self, page: &Page, bound: &str) -> Result<Drawing, PlotError> {
        let title = title(&self.title, || heading(format!("{} against the {}", words(&self.measured), words(bound))));
        let groups = page.selected(self.stage.as_deref(), &self.groups);
        let (mut series, mut said) = (Vec::new(), Vec::new());
        for group in &groups {
            let points: Vec<(f64, f64)> = group.counting().filter_map(|run| self.point(run, bound)).collect();
            said.extend(
                points.iter().map(|&(x, y)| format!("{}: measured {}, bound {}", group.name, number(y), number(x))),
            );
            if !points.is_empty() {
                series.push(Series { look: Look::Dots, group: Some(group.index), ..Series::line(&group.name, points) });
            }
        }
        let points: Vec<(f64, f64)> = series.iter().flat_map(|s| s.points.iter().copied()).collect();
        let (low, high) = extremes(&points.iter().flat_map(|p| [p.0, p.1]).collect::<Vec<_>>())
            .ok_or_else(|| nothing(&title, &format!("{} beside {bound}", self.measured), &groups))?;
        let below = points.iter().filter(|(x, y)| y <= x).count();
        let scale = if low > 0.0 { Scale::Log } else { Scale::Linear };
        let diagonal = vec![(low, low), (high, high)];
        series.push(Series::reference("measured = bound", diagonal));
        let caption = sentences(&[
            self.caption.clone(),
            format!("{below} of {} runs lie below the bound, at their last measurement", points.len()),
            different_losses(&groups, &[&self.measured, bound]),
            left_out(&groups),
        ]);
        let svg = lines(&LinePlot {
            title: title.clone(),
            x: Axis { scale, ..Axis::linear(words(bound)) },
            y: Axis { scale, ..Axis::linear(words(&self.measured)) },
            series,
            ..LinePlot::default()
        })?;
        Ok(Drawing { title, svg, caption, numbers: sentences(&said) })
    }

    /// The bound and the measured value at the last step that has both.
    fn point(&self, run: &Run, bound: &str) -> Option<(f64, f64)> {
        let measured = run.curve(&self.measured, Over::Step);
        let bounds = run.curve(bound, Over::Step);
        let both = |&(step, y): &(f64, f64)| Some((bounds.iter().find(|b| b.0 == step)?.1, y));
        measured.iter().rev().find_map(both)
    }
}
