//! A phase diagram of two axes of a study, or of the rows of its runs.

use saltflat_config::Section;

use super::common::{CommonKeys, FigureKind, different_losses, metric_key, no_data, scale, sentences};
use super::phase_rows::{cells_in_words, diagram_of_rows};
use super::run_values::{AxisValues, axis_value};
use crate::metric::{heading, words};
use crate::page::contents::{Drawing, Figure, Group, Name, Page};
use crate::statistics::{extremes, median};
use crate::{PhaseDiagram, ReportError, Run, Scale, number, phase};

/// A cell for each pair of values of two axes: the median of the last values of a metric, or the share that diverged. With
/// `rows`, a cell for each measured row of the runs, a diagram a group.
#[derive(Debug, Clone, Default)]
pub struct Phase {
    /// The axis below: one of the labels or a key of the configuration; with `rows` a metric.
    pub x: String,
    /// The axis at the left, likewise.
    pub y: String,
    /// A metric, or `status` without `rows`: the share of runs that diverged.
    pub value: String,
    /// Whether the cells are the rows of the runs' measurements, each with its x, y and value; else the runs.
    pub rows: bool,
    /// With `rows`, metrics whose values are those of y along a line over the cells: bounds that depend on x alone.
    pub lines: Vec<String>,
    /// Whether colours are logarithmic.
    pub log: bool,
    /// The keys of every kind.
    pub common: CommonKeys,
}

impl FigureKind for Phase {
    const NAME: &'static str = "phase";
    const EXAMPLE: &'static str = "x = \"noise.probability\"\ny = \"run.seed\"\nvalue = \"trace_hessian\"\n";

    fn read(section: &mut Section) -> Self {
        Self {
            x: section.required("x", "the name of an axis", |_| true),
            y: section.required("y", "the name of an axis", |_| true),
            value: metric_key(section, "value"),
            rows: section.get("rows").unwrap_or_default(),
            lines: section.get("lines").unwrap_or_default(),
            log: section.get("log").unwrap_or_default(),
            common: CommonKeys::read(section),
        }
    }
}

impl Figure for Phase {
    fn draw(&self, page: &Page) -> Result<Vec<Drawing>, ReportError> {
        match (self.rows, self.lines.is_empty()) {
            (true, _) => self.draw_rows(page),
            (false, true) => self.draw_runs(page).map(|drawing| vec![drawing]),
            (false, false) => Err(ReportError::Nothing {
                reason: format!("lines: expected rows = true beside them, found none ({})", self.lines.join(", ")),
            }),
        }
    }

    fn names(&self) -> Vec<(&'static str, Name<'_>)> {
        let axis = if self.rows { Name::Metric } else { Name::Axis };
        let mut names = vec![("x", axis(&self.x)), ("y", axis(&self.y))];
        // The share of runs that diverged is no metric.
        if self.rows || self.value != "status" {
            names.push(("value", Name::Metric(&self.value)));
        }
        names.extend(self.lines.iter().map(|name| ("lines", Name::Metric(name))));
        self.common.with_names(names)
    }
}

impl Phase {
    fn draw_runs(&self, page: &Page) -> Result<Drawing, ReportError> {
        let of_status = self.value == "status";
        let label = if of_status { "share of runs that diverged" } else { words(&self.value) };
        let title = self.common.title_or(|| heading(format!("{label} over {} and {}", self.x, self.y)));
        let groups = self.common.select(page);
        let runs: Vec<&Run> = groups.iter().flat_map(|g| g.runs.iter().copied()).collect();
        let (xs, ys) = (AxisValues::of(page, &runs, &self.x)?, AxisValues::of(page, &runs, &self.y)?);
        let mut cells: Vec<Vec<&Run>> = vec![Vec::new(); xs.len() * ys.len()];
        for run in &runs {
            let column = axis_value(run, &self.x).and_then(|v| xs.index(&v));
            let row = axis_value(run, &self.y).and_then(|v| ys.index(&v));
            if let (Some(column), Some(row)) = (column, row) {
                cells[row * xs.len() + column].push(run);
            }
        }
        let values: Vec<f64> =
            cells.iter().map(|runs| if of_status { share_diverged(runs) } else { self.last(runs) }).collect();
        if values.iter().all(|v| v.is_nan()) {
            return Err(no_data(&title, &self.value, &groups));
        }
        let name = |axis: &AxisValues, i: usize| {
            axis.numbers.as_ref().map_or_else(|| axis.names[i].clone(), |numbers| number(numbers[i]))
        };
        let numbers =
            cells_in_words([&self.x, &self.y], xs.len(), &values, |column, row| [name(&xs, column), name(&ys, row)]);
        let sizes: Vec<f64> = cells.iter().map(|runs| runs.len() as f64).filter(|n| *n > 0.0).collect();
        let caption = self.common.caption(&[
            extremes(&sizes).map_or(String::new(), |(least, most)| match least == most {
                true => format!("{least} runs a cell"),
                false => format!("{least} to {most} runs a cell"),
            }),
            match of_status {
                true => "Share of the runs of a cell that diverged".into(),
                false => {
                    "Median of the last values over the runs of a cell; a cross where all diverged or failed".into()
                }
            },
            different_losses(&groups, &[&self.value]),
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
        Ok(Drawing { title, svg, caption, numbers: sentences(&numbers) })
    }

    /// A diagram for each group whose rows have x, y and value.
    fn draw_rows(&self, page: &Page) -> Result<Vec<Drawing>, ReportError> {
        let own = || heading(format!("{} over {} and {}", words(&self.value), words(&self.x), words(&self.y)));
        let (title, groups) = (self.common.title_or(own), self.common.select(page));
        let drawn: Result<Vec<Option<Drawing>>, ReportError> =
            groups.iter().map(|group| self.draw_group(&title, group)).collect();
        let drawings: Vec<Drawing> = drawn?.into_iter().flatten().collect();
        let what = || format!("{}, {} and {} in one row", self.x, self.y, self.value);
        if drawings.is_empty() { Err(no_data(&title, &what(), &groups)) } else { Ok(drawings) }
    }

    fn draw_group(&self, title: &str, group: &Group<'_>) -> Result<Option<Drawing>, ReportError> {
        let title = format!("{title}: {}", group.name);
        let found = diagram_of_rows(&title, group, [&self.x, &self.y, &self.value], &self.lines, scale(self.log))?;
        let Some((diagram, numbers)) = found else { return Ok(None) };
        let runs = group.counting().count();
        let caption = self.common.caption(&[
            if runs > 1 { format!("Median over {runs} runs in each cell") } else { String::new() },
            different_losses(std::slice::from_ref(group), &[&self.value]),
        ]);
        Ok(Some(Drawing { svg: phase(&diagram)?, title, caption, numbers: sentences(&numbers) }))
    }

    /// The median of the last values; infinite if every run diverged or failed, NaN if nothing was measured.
    fn last(&self, runs: &[&Run]) -> f64 {
        let values: Vec<f64> = runs.iter().filter(|run| run.counts()).filter_map(|run| run.last(&self.value)).collect();
        let lost = !runs.is_empty() && runs.iter().all(|run| !run.counts());
        median(&values).unwrap_or(if lost { f64::INFINITY } else { f64::NAN })
    }
}

fn share_diverged(runs: &[&Run]) -> f64 {
    runs.iter().filter(|run| run.status == "diverged").count() as f64 / runs.len() as f64
}
