//! The last value of a metric over an axis or over the groups.

use serde::Deserialize;

use super::{AxisValues, counts, different_losses, left_out, nothing, on_axis, sentences, title};
use crate::{
    Axis, LinePlot, Look, PlotError, Run, Series, Spread,
    figure::{Drawing, scale},
    lines,
    metric::words,
    number,
    page::{Group, Page},
    statistics::{Line, extremes, median},
    with_error,
};

/// Seeds stand this far beside their median, in places of names.
const ASIDE: f64 = 0.12;

/// The last value of a metric: the median over seeds with a bar from the least to the largest, and a dot a seed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Final {
    /// The metric.
    pub y: String,
    /// The axis below: one of the labels, a key of the configuration, or a metric whose last value it is (such as
    /// `regularization_per_curvature`); without it the groups.
    #[serde(default)]
    pub x: Option<String>,
    /// Whether the axis of the metric is logarithmic.
    #[serde(default)]
    pub log: bool,
    /// Whether the axis below is logarithmic, if its values are numbers.
    #[serde(default)]
    pub log_x: bool,
    /// Also the least-squares slope of the metric against the axis over all runs of a series, both logarithmic where their
    /// axes are, with its standard error; for an axis of numbers.
    #[serde(default)]
    pub slope: bool,
    /// Only runs of this stage.
    #[serde(default)]
    pub stage: Option<String>,
    /// Only these groups.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Heading; else the metric in words.
    #[serde(default)]
    pub title: Option<String>,
    /// Goes before what is always said.
    #[serde(default)]
    pub caption: String,
}

/// Values of seeds at one place.
struct Column {
    at: f64,
    name: String,
    values: Vec<f64>,
}

impl Final {
    pub(crate) fn draw(&self, page: &Page) -> Result<Drawing, PlotError> {
        let title = title(&self.title, || format!("Last {}", words(&self.y)));
        let groups = page.selected(self.stage.as_deref(), &self.groups);
        let (axis, columns) = match &self.x {
            None => self.over_groups(&groups),
            Some(x) => self.over_axis(page, &groups, x)?,
        };
        if columns.iter().flat_map(|(_, _, columns)| columns).all(|c| c.values.is_empty()) {
            return Err(nothing(&title, &self.y, &groups));
        }
        let different = different_losses(&groups, &[&self.y]);
        let aside = if axis.categories.is_empty() { 0.0 } else { ASIDE };
        let (mut series, mut said, mut slopes, mut counted) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (label, index, columns) in columns {
            let filled: Vec<&Column> = columns.iter().filter(|c| !c.values.is_empty()).collect();
            let points = filled.iter().filter_map(|c| Some((c.at - aside, median(&c.values)?))).collect();
            let bars = filled.iter().filter_map(|c| extremes(&c.values)).collect();
            let look = if aside > 0.0 { Look::Dots } else { Look::Line };
            let spread = Spread::Bars(bars);
            series.push(Series { look, spread, group: Some(index), ..Series::line(label.clone(), points) });
            let dots: Vec<_> = filled.iter().flat_map(|c| c.values.iter().map(|&v| (c.at + aside, v))).collect();
            let fitted = if self.slope && aside == 0.0 && different.is_empty() { self.fitted(&dots) } else { None };
            series.push(Series { look: Look::Dots, group: Some(index), ..Series::line(label.clone(), dots) });
            if let Some((line, ends)) = fitted {
                slopes.push(slope_of(&label, &line));
                series.push(Series { look: Look::Dashed, group: Some(index), ..Series::line(label.clone(), ends) });
            }
            counted.extend(filled.iter().map(|c| (c.name.clone(), c.values.len())));
            said.extend(filled.iter().filter_map(|c| {
                let ((low, high), middle) = (extremes(&c.values)?, median(&c.values)?);
                let [low, middle, high] = [low, middle, high].map(number);
                Some(format!("{}: median {middle}, from {low} to {high} (n = {})", c.name, c.values.len()))
            }));
        }
        let caption = sentences(&[
            self.caption.clone(),
            format!(
                "Last measured value: median with a bar from least to largest, and a dot a seed; {}",
                counts(&counted)
            ),
            self.of_slopes(&slopes),
            different,
            left_out(&groups),
        ]);
        let y = Axis { scale: scale(self.log), ..Axis::linear(words(&self.y)) };
        let svg = lines(&LinePlot { title: title.clone(), x: axis, y, series, ..LinePlot::default() })?;
        said.extend(slopes);
        Ok(Drawing { title, svg, caption, numbers: sentences(&said) })
    }

    /// The least-squares line through all runs of a series, and its ends on the axes.
    fn fitted(&self, dots: &[(f64, f64)]) -> Option<(Line, Vec<(f64, f64)>)> {
        let onto = |log: bool, v: f64| if log { v.log10() } else { v };
        let back = |log: bool, v: f64| if log { 10f64.powf(v) } else { v };
        let points: Vec<(f64, f64)> = dots.iter().map(|&(x, y)| (onto(self.log_x, x), onto(self.log, y))).collect();
        let line = Line::fit(&points)?;
        let (low, high) = extremes(&points.iter().map(|p| p.0).collect::<Vec<_>>())?;
        let end = |x: f64| (back(self.log_x, x), back(self.log, line.intercept + line.slope * x));
        Some((line, vec![end(low), end(high)]))
    }

    /// What the slopes are, before them.
    fn of_slopes(&self, slopes: &[String]) -> String {
        if slopes.is_empty() {
            return String::new();
        }
        let axis = |log: bool, name: &str| if log { format!("the logarithm of {name}") } else { name.to_string() };
        let (y, x) = (axis(self.log, words(&self.y)), axis(self.log_x, self.x.as_deref().unwrap_or("the axis")));
        format!("Least-squares slope of {y} against {x}, over all runs (dashed): {}", slopes.join("; "))
    }

    fn over_groups(&self, groups: &[Group<'_>]) -> (Axis, Vec<(String, usize, Vec<Column>)>) {
        let filled: Vec<(&Group<'_>, Vec<f64>)> =
            groups.iter().map(|g| (g, g.finals(&self.y))).filter(|(_, values)| !values.is_empty()).collect();
        let names = filled.iter().map(|(g, _)| g.name.clone()).collect();
        let column = |(i, (g, values)): (usize, (&Group<'_>, Vec<f64>))| {
            (g.name.clone(), g.index, vec![Column { at: i as f64, name: g.name.clone(), values }])
        };
        (Axis::of_names("", names), filled.into_iter().enumerate().map(column).collect())
    }

    /// A series for each combination of the other labels, and for each stage where there are several.
    #[allow(clippy::type_complexity)]
    fn over_axis(
        &self,
        page: &Page,
        groups: &[Group<'_>],
        x: &str,
    ) -> Result<(Axis, Vec<(String, usize, Vec<Column>)>), PlotError> {
        let runs: Vec<&Run> = groups.iter().flat_map(Group::counting).collect();
        let values = AxisValues::of(page, &runs, x)?;
        let several =
            groups.iter().any(|g| g.runs.first().map(|r| &r.stage) != groups[0].runs.first().map(|r| &r.stage));
        let mut series: Vec<(String, usize, Vec<Column>)> = Vec::new();
        for run in runs {
            let Some((name, index)) = on_axis(run, x).and_then(|name| values.index(&name).map(|i| (name, i))) else {
                continue;
            };
            let mut others = Run { labels: run.labels.clone(), stage: run.stage.clone(), ..Run::default() };
            others.labels.remove(x);
            let label = if others.labels.is_empty() && !several { String::new() } else { others.group() };
            let at = match series.iter().position(|(known, ..)| *known == label) {
                Some(at) => at,
                None => {
                    let column = |i| Column { at: values.at(i), name: String::new(), values: Vec::new() };
                    series.push((label.clone(), series.len(), (0..values.len()).map(column).collect()));
                    series.len() - 1
                }
            };
            let column = &mut series[at].2[index];
            column.name =
                [label, format!("{x} {name}")].into_iter().filter(|s| !s.is_empty()).collect::<Vec<_>>().join(", ");
            column.values.extend(run.last(&self.y));
        }
        Ok((values.axis(x, self.log_x), series))
    }
}

/// `LABEL: −0.02 ± 0.01 (n = 25)`.
fn slope_of(label: &str, line: &Line) -> String {
    let value = with_error(line.slope, line.std_error);
    let name = if label.is_empty() { String::new() } else { format!("{label}: ") };
    let exact = if value.contains('±') { "" } else { ", without scatter" };
    format!("{name}{value} (n = {}{exact})", line.n)
}
