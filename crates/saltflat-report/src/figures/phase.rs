//! A phase diagram of two axes of a study, or of the rows of its runs.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{AxisValues, different_losses, nothing, on_axis, sentences, title};
use crate::{
    Axis, PhaseDiagram, PlotError, Run, Scale, Series,
    figure::{Drawing, scale},
    metric::{heading, words},
    number,
    page::{Group, Page},
    phase,
    statistics::{extremes, median},
};

/// A cell for each pair of values of two axes: the median of the last values of a metric, or the share that diverged. With
/// `rows`, a cell for each measured row of the runs, a diagram a group.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// The axis below: one of the labels or a key of the configuration; with `rows` a metric.
    pub x: String,
    /// The axis at the left, likewise.
    pub y: String,
    /// A metric, or `status` without `rows`: the share of runs that diverged.
    pub value: String,
    /// Whether the cells are the rows of the runs' measurements, each with its x, y and value; else the runs.
    #[serde(default)]
    pub rows: bool,
    /// With `rows`, metrics whose values are those of y along a line over the cells: bounds that depend on x alone.
    #[serde(default)]
    pub lines: Vec<String>,
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
    pub(crate) fn draw(&self, page: &Page) -> Result<Vec<Drawing>, PlotError> {
        match (self.rows, self.lines.is_empty()) {
            (true, _) => self.of_rows(page),
            (false, true) => self.of_runs(page).map(|drawing| vec![drawing]),
            (false, false) => Err(PlotError::Nothing {
                reason: format!("lines: expected rows = true beside them, found none ({})", self.lines.join(", ")),
            }),
        }
    }

    fn of_runs(&self, page: &Page) -> Result<Drawing, PlotError> {
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
        let sizes: Vec<f64> = cells.iter().map(|runs| runs.len() as f64).filter(|n| *n > 0.0).collect();
        let caption = sentences(&[
            self.caption.clone(),
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
        Ok(Drawing { title, svg, caption, numbers: sentences(&said) })
    }

    /// A diagram for each group whose rows have x, y and value.
    fn of_rows(&self, page: &Page) -> Result<Vec<Drawing>, PlotError> {
        let own = || heading(format!("{} over {} and {}", words(&self.value), words(&self.x), words(&self.y)));
        let (title, groups) = (title(&self.title, own), page.selected(self.stage.as_deref(), &self.groups));
        let drawn: Result<Vec<Option<Drawing>>, PlotError> = groups.iter().map(|g| self.of_group(&title, g)).collect();
        let drawings: Vec<Drawing> = drawn?.into_iter().flatten().collect();
        let what = || format!("{}, {} and {} in one row", self.x, self.y, self.value);
        if drawings.is_empty() { Err(nothing(&title, &what(), &groups)) } else { Ok(drawings) }
    }

    fn of_group(&self, title: &str, group: &Group<'_>) -> Result<Option<Drawing>, PlotError> {
        let title = format!("{title}: {}", group.name);
        let mut cells: BTreeMap<(Number, Number), Vec<f64>> = BTreeMap::new();
        let mut lines: Vec<BTreeMap<Number, Vec<f64>>> = vec![BTreeMap::new(); self.lines.len()];
        for (run, row) in group.counting().flat_map(|run| run.measurements.iter().map(move |row| (run, row))) {
            // Plus zero: −0 and 0 are one place.
            let of = |name: &str| run.value(row, name).filter(|v| v.is_finite()).map(|v| v + 0.0);
            let (Some(x), Some(y), Some(value)) = (of(&self.x), of(&self.y), of(&self.value)) else { continue };
            cells.entry((Number(x), Number(y))).or_default().push(value);
            for (line, name) in lines.iter_mut().zip(&self.lines) {
                line.entry(Number(x)).or_default().extend(of(name));
            }
        }
        if cells.is_empty() {
            return Ok(None);
        }
        let (xs, ys) = (distinct(cells.keys().map(|key| key.0)), distinct(cells.keys().map(|key| key.1)));
        if xs.len().saturating_mul(ys.len()) > MOST_CELLS {
            let found = format!("{} x {}", xs.len(), ys.len());
            let reason = format!(
                "{title}: expected at most {MOST_CELLS} cells, found {found} values of {} and {}",
                self.x, self.y
            );
            return Err(PlotError::Nothing { reason });
        }
        let at = |x: f64, y: f64| cells.get(&(Number(x), Number(y))).and_then(|values| median(values));
        let values: Vec<f64> = ys
            .iter()
            .flat_map(|&y| xs.iter().map(move |&x| (x, y)))
            .map(|(x, y)| at(x, y).unwrap_or(f64::NAN))
            .collect();
        let curves = lines.iter().zip(&self.lines).map(|(line, name)| {
            let points = line.iter().filter_map(|(x, values)| Some((x.0, median(values)?))).collect();
            Series::line(words(name), points)
        });
        let diagram = PhaseDiagram {
            title: title.clone(),
            x: Axis::linear(words(&self.x)),
            y: Axis::linear(words(&self.y)),
            curves: curves.collect(),
            value_label: words(&self.value).into(),
            scale: scale(self.log),
            xs,
            ys,
            values,
            ..PhaseDiagram::default()
        };
        let runs = group.counting().count();
        let caption = sentences(&[
            self.caption.clone(),
            if runs > 1 { format!("Median over {runs} runs in each cell") } else { String::new() },
            different_losses(std::slice::from_ref(group), &[&self.value]),
        ]);
        let numbers = sentences(&self.said(&diagram));
        Ok(Some(Drawing { svg: phase(&diagram)?, title, caption, numbers }))
    }

    /// Every cell where they are few, else how they spread; and where each line begins and ends.
    fn said(&self, diagram: &PhaseDiagram) -> Vec<String> {
        let PhaseDiagram { xs, ys, values, curves, .. } = diagram;
        let known: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
        let mut said = match (extremes(&known), median(&known)) {
            (Some((low, high)), Some(middle)) if known.len() > SAID_SINGLY => {
                let mean = known.iter().sum::<f64>() / known.len() as f64;
                let [low, middle, high, mean] = [low, middle, high, mean].map(number);
                vec![format!(
                    "{} cells, {} of {} by {} of {}: from {low} to {high}, median {middle}, mean {mean}",
                    known.len(),
                    xs.len(),
                    self.x,
                    ys.len(),
                    self.y
                )]
            }
            _ => (0..values.len())
                .filter(|&i| !values[i].is_nan())
                .map(|i| (number(xs[i % xs.len()]), number(ys[i / xs.len()]), number(values[i])))
                .map(|(x, y, value)| format!("{} {x}, {} {y}: {value}", self.x, self.y))
                .collect(),
        };
        said.extend(curves.iter().filter_map(|curve| {
            let (first, last) = (curve.points.first()?, curve.points.last()?);
            let [x0, y0, x1, y1] = [first.0, first.1, last.0, last.1].map(number);
            Some(format!("{}: {y0} at {} {x0}, {y1} at {} {x1}", curve.label, self.x, self.x))
        }));
        said
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

/// A diagram with more cells is a mistake: a pixel is not a cell.
const MOST_CELLS: usize = 1_000_000;

/// So many cells are said one by one.
const SAID_SINGLY: usize = 60;

/// A finite number as a key, in the order of numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Number(f64);

impl Eq for Number {}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// Each number once, in order.
fn distinct(numbers: impl Iterator<Item = Number>) -> Vec<f64> {
    let mut numbers: Vec<f64> = numbers.map(|n| n.0).collect();
    numbers.sort_by(f64::total_cmp);
    numbers.dedup();
    numbers
}
