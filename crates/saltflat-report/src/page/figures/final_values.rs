//! The last value of a metric over an axis or over the groups.

use saltflat_config::Section;

use super::common::{
    CommonKeys, FigureKind, counts, different_losses, draw_lines, left_out, metric_axis, metric_key, no_data,
};
use super::run_values::{AxisValues, axis_value};
use crate::metric::words;
use crate::page::contents::{Drawing, Figure, Group, Name, Page};
use crate::statistics::{Line, extremes, median};
use crate::{Axis, ReportError, Run, Series, SeriesStyle, Spread, number, with_error};

/// Seeds stand this far beside their median, in places of names.
const ASIDE: f64 = 0.12;

/// The last value of a metric: the median over seeds with a bar from the least to the largest, and a dot a seed.
#[derive(Debug, Clone, Default)]
pub struct FinalValues {
    /// The metric.
    pub y: String,
    /// The axis below: one of the labels, a key of the configuration, or a metric whose last value it is (such as
    /// `regularization_per_curvature`); without it the groups.
    pub x: Option<String>,
    /// Whether the axis of the metric is logarithmic.
    pub log: bool,
    /// Whether the axis below is logarithmic, if its values are numbers.
    pub log_x: bool,
    /// Also the least-squares slope of the metric against the axis over all runs of a series, both logarithmic if their
    /// axes are, with its standard error; for an axis of numbers.
    pub slope: bool,
    /// The keys of every kind.
    pub common: CommonKeys,
}

impl FigureKind for FinalValues {
    const NAME: &'static str = "final";
    const EXAMPLE: &'static str = "y = \"trace_hessian\"\nx = \"noise.probability\"\nslope = true\n";

    fn read(section: &mut Section) -> Self {
        Self {
            y: metric_key(section, "y"),
            x: section.get("x"),
            log: section.get("log").unwrap_or_default(),
            log_x: section.get("log_x").unwrap_or_default(),
            slope: section.get("slope").unwrap_or_default(),
            common: CommonKeys::read(section),
        }
    }
}

/// The columns of one label.
struct ColumnSeries {
    label: String,
    /// Place among the groups, which gives the colour.
    index: usize,
    columns: Vec<Column>,
}

/// Values of seeds at one place.
struct Column {
    at: f64,
    name: String,
    values: Vec<f64>,
}

impl Figure for FinalValues {
    fn draw(&self, page: &Page) -> Result<Vec<Drawing>, ReportError> {
        let title = self.common.title_or(|| format!("Last {}", words(&self.y)));
        let groups = self.common.select(page);
        let (axis, mut all) = match &self.x {
            None => self.over_groups(&groups),
            Some(x) => self.over_axis(page, &groups, x)?,
        };
        all.iter_mut().for_each(|series| series.columns.retain(|column| !column.values.is_empty()));
        if all.iter().all(|series| series.columns.is_empty()) {
            return Err(no_data(&title, &self.y, &groups));
        }
        let different = different_losses(&groups, &[&self.y]);
        let aside = if axis.categories.is_empty() { 0.0 } else { ASIDE };
        let has_slopes = self.slope && aside == 0.0 && different.is_empty();
        let (mut series, mut numbers, mut slopes, mut counted) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for ColumnSeries { label, index, columns } in all {
            let line = |look, points| Series { look, group: Some(index), ..Series::line(&label, points) };
            let medians = columns.iter().filter_map(|c| Some((c.at - aside, median(&c.values)?))).collect();
            let spread = Spread::Bars(columns.iter().filter_map(|c| extremes(&c.values)).collect());
            series.push(Series {
                spread,
                ..line(if aside > 0.0 { SeriesStyle::Dots } else { SeriesStyle::Line }, medians)
            });
            let dots: Vec<_> = columns.iter().flat_map(|c| c.values.iter().map(|&v| (c.at + aside, v))).collect();
            let fit = if has_slopes { self.fit_line(&dots) } else { None };
            series.push(line(SeriesStyle::Dots, dots));
            if let Some((fitted, ends)) = fit {
                slopes.push(slope_in_words(&label, &fitted));
                series.push(line(SeriesStyle::Dashed, ends));
            }
            counted.extend(columns.iter().map(|c| (c.name.clone(), c.values.len())));
            numbers.extend(columns.iter().filter_map(Column::in_words));
        }
        let caption = self.common.caption(&[
            format!(
                "Last measured value: median with a bar from least to largest, and a dot a seed; {}",
                counts(&counted)
            ),
            self.slopes_in_words(&slopes),
            different,
            left_out(&groups),
        ]);
        numbers.extend(slopes);
        Ok(vec![draw_lines(title, [axis, metric_axis(&self.y, self.log)], series, caption, &numbers)?])
    }

    fn names(&self) -> Vec<(&'static str, Name<'_>)> {
        let mut names = vec![("y", Name::Metric(&self.y))];
        names.extend(self.x.iter().map(|name| ("x", Name::Axis(name))));
        self.common.with_names(names)
    }
}

impl FinalValues {
    /// The last values of a metric over the groups.
    pub fn new(y: &str) -> Self {
        Self { y: y.into(), ..Self::default() }
    }

    /// The least-squares line through all runs of a series, and its ends on the axes.
    fn fit_line(&self, dots: &[(f64, f64)]) -> Option<(Line, Vec<(f64, f64)>)> {
        let scaled = |log: bool, v: f64| if log { v.log10() } else { v };
        let unscaled = |log: bool, v: f64| if log { 10f64.powf(v) } else { v };
        let points: Vec<(f64, f64)> = dots.iter().map(|&(x, y)| (scaled(self.log_x, x), scaled(self.log, y))).collect();
        let line = Line::fit(&points)?;
        let (low, high) = extremes(&points.iter().map(|p| p.0).collect::<Vec<_>>())?;
        let end = |x: f64| (unscaled(self.log_x, x), unscaled(self.log, line.intercept + line.slope * x));
        Some((line, vec![end(low), end(high)]))
    }

    /// What the slopes are, before them.
    fn slopes_in_words(&self, slopes: &[String]) -> String {
        if slopes.is_empty() {
            return String::new();
        }
        let axis = |log: bool, name: &str| if log { format!("the logarithm of {name}") } else { name.to_string() };
        let (y, x) = (axis(self.log, words(&self.y)), axis(self.log_x, self.x.as_deref().unwrap_or("the axis")));
        format!("Least-squares slope of {y} against {x}, over all runs (dashed): {}", slopes.join("; "))
    }

    fn over_groups(&self, groups: &[Group<'_>]) -> (Axis, Vec<ColumnSeries>) {
        let mut series = Vec::new();
        for group in groups {
            let (label, values) = (group.name.clone(), group.finals(&self.y));
            if !values.is_empty() {
                let column = Column { at: series.len() as f64, name: label.clone(), values };
                series.push(ColumnSeries { label, index: group.index, columns: vec![column] });
            }
        }
        (Axis::of_names("", series.iter().map(|one| one.label.clone()).collect()), series)
    }

    /// A series for each combination of the other labels, and for each stage if there are several.
    fn over_axis(&self, page: &Page, groups: &[Group<'_>], x: &str) -> Result<(Axis, Vec<ColumnSeries>), ReportError> {
        let runs: Vec<&Run> = groups.iter().flat_map(Group::counting).collect();
        let values = AxisValues::of(page, &runs, x)?;
        let several = groups.iter().any(|group| group.stage() != groups[0].stage());
        let mut all: Vec<ColumnSeries> = Vec::new();
        for run in runs {
            let Some((name, column)) = axis_value(run, x).and_then(|name| values.index(&name).map(|i| (name, i)))
            else {
                continue;
            };
            let mut others = Run { labels: run.labels.clone(), stage: run.stage.clone(), ..Run::default() };
            others.labels.remove(x);
            let label = if others.labels.is_empty() && !several { String::new() } else { others.group() };
            let at = all.iter().position(|series| series.label == label).unwrap_or(all.len());
            if at == all.len() {
                let column = |i| Column { at: values.at(i), name: String::new(), values: Vec::new() };
                let columns = (0..values.len()).map(column).collect();
                all.push(ColumnSeries { label: label.clone(), index: at, columns });
            }
            let column = &mut all[at].columns[column];
            column.name = if label.is_empty() { format!("{x} {name}") } else { format!("{label}, {x} {name}") };
            column.values.extend(run.last(&self.y));
        }
        Ok((values.axis(x, self.log_x), all))
    }
}

impl Column {
    fn in_words(&self) -> Option<String> {
        let ((low, high), middle) = (extremes(&self.values)?, median(&self.values)?);
        let [low, middle, high] = [low, middle, high].map(number);
        Some(format!("{}: median {middle}, from {low} to {high} (n = {})", self.name, self.values.len()))
    }
}

/// `LABEL: −0.02 ± 0.01 (n = 25)`.
fn slope_in_words(label: &str, line: &Line) -> String {
    let value = with_error(line.slope, line.std_error);
    let name = if label.is_empty() { String::new() } else { format!("{label}: ") };
    let exact = if value.contains('±') { "" } else { ", without scatter" };
    format!("{name}{value} (n = {}{exact})", line.n)
}
