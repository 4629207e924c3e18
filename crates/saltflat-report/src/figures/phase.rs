//! A phase diagram of two axes of a study.

use serde::Deserialize;

use super::{AxisValues, nothing, on_axis, sentences, title};
use crate::{
    PhaseDiagram, PlotError, Run, Scale,
    figure::{Drawing, scale},
    number,
    page::{Page, heading, words},
    phase,
    statistics::median,
};

/// A cell for each pair of values of two axes: the median of the last values of a metric, or the share that diverged.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// The axis below: one of the labels or a key of the configuration.
    pub x: String,
    /// The axis at the left.
    pub y: String,
    /// A metric, or `status`: the share of runs that diverged.
    pub value: String,
    /// Whether colours are logarithmic.
    #[serde(default)]
    pub log: bool,
    /// Only runs of this stage.
    #[serde(default)]
    pub stage: Option<String>,
    /// Only these groups.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Heading; else the value in words.
    #[serde(default)]
    pub title: Option<String>,
    /// Goes before what is always said.
    #[serde(default)]
    pub caption: String,
}

impl Phase {
    pub(crate) fn draw(&self, page: &Page) -> Result<Drawing, PlotError> {
        let of_status = self.value == "status";
        let label = if of_status { "share of runs that diverged" } else { words(&self.value) };
        let title = title(&self.title, || heading(format!("{label} over {} and {}", self.x, self.y)));
        let groups = page.selected(self.stage.as_deref(), &self.groups);
        let runs: Vec<&Run> = groups.iter().flat_map(|g| g.runs.iter().copied()).collect();
        let (xs, ys) = (AxisValues::of(page, &runs, &self.x)?, AxisValues::of(page, &runs, &self.y)?);
        let mut cells: Vec<Vec<&Run>> = vec![Vec::new(); xs.len() * ys.len()];
        for run in &runs {
            let column = on_axis(run, &self.x).and_then(|v| xs.index(&v));
            let row = on_axis(run, &self.y).and_then(|v| ys.index(&v));
            if let (Some(column), Some(row)) = (column, row) {
                cells[row * xs.len() + column].push(run);
            }
        }
        let values: Vec<f64> =
            cells.iter().map(|runs| if of_status { share_diverged(runs) } else { self.last(runs) }).collect();
        if values.iter().all(|v| v.is_nan()) {
            return Err(nothing(&title, &self.value, &groups));
        }
        let said: Vec<String> = (0..values.len())
            .filter(|&i| !values[i].is_nan())
            .map(|i| {
                let (column, row) = (i % xs.len(), i / xs.len());
                let value = if values[i] == f64::INFINITY { "diverged".into() } else { number(values[i]) };
                let [at_x, at_y] = [(&xs, column), (&ys, row)].map(|(axis, i)| match &axis.numbers {
                    Some(numbers) => number(numbers[i]),
                    None => axis.names[i].clone(),
                });
                format!("{} {at_x}, {} {at_y}: {value}", self.x, self.y)
            })
            .collect();
        let caption = sentences(&[
            self.caption.clone(),
            match of_status {
                true => "Share of the runs of a cell that diverged".into(),
                false => {
                    "Median of the last values over the runs of a cell; a cross where all diverged or failed".into()
                }
            },
        ]);
        let positions = |axis: &AxisValues| (0..axis.len()).map(|i| axis.at(i)).collect::<Vec<_>>();
        let svg = phase(&PhaseDiagram {
            title: title.clone(),
            x: xs.axis(&self.x, false),
            y: ys.axis(&self.y, false),
            xs: positions(&xs),
            ys: positions(&ys),
            values,
            value_label: label.into(),
            scale: if of_status { Scale::Linear } else { scale(self.log) },
            limits: of_status.then_some((0.0, 1.0)),
            ..PhaseDiagram::default()
        })?;
        Ok(Drawing { title, svg, caption, numbers: sentences(&said) })
    }

    /// The median of the last values; infinite where every run diverged or failed, NaN where nothing was measured.
    fn last(&self, runs: &[&Run]) -> f64 {
        let values: Vec<f64> = runs.iter().filter(|run| run.counts()).filter_map(|run| run.last(&self.value)).collect();
        let lost = !runs.is_empty() && runs.iter().all(|run| !run.counts());
        median(&values).unwrap_or(if lost { f64::INFINITY } else { f64::NAN })
    }
}

/// The share of diverged runs; NaN without runs.
fn share_diverged(runs: &[&Run]) -> f64 {
    runs.iter().filter(|run| run.status == "diverged").count() as f64 / runs.len() as f64
}
