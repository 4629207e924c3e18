//! The last value of a metric over an axis or over the groups.

use serde::Deserialize;

use super::{AxisValues, left_out, nothing, on_axis, sentences, title};
use crate::{
    Axis, LinePlot, Look, PlotError, Run, Series, Spread,
    figure::{Drawing, scale},
    lines, number,
    page::{Group, Page, words},
    statistics::{extremes, median},
};

/// Seeds stand this far beside their median, in places of names.
const ASIDE: f64 = 0.12;

/// The last value of a metric: the median over seeds with a bar from the least to the largest, and a dot a seed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Final {
    /// The metric.
    pub y: String,
    /// The axis below: one of the labels or a key of the configuration; without it the groups.
    #[serde(default)]
    pub x: Option<String>,
    /// Whether the axis of the metric is logarithmic.
    #[serde(default)]
    pub log: bool,
    /// Whether the axis below is logarithmic, if its values are numbers.
    #[serde(default)]
    pub log_x: bool,
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
        let aside = if axis.categories.is_empty() { 0.0 } else { ASIDE };
        let (mut series, mut said) = (Vec::new(), Vec::new());
        for (label, index, columns) in columns {
            let filled: Vec<&Column> = columns.iter().filter(|c| !c.values.is_empty()).collect();
            let points = filled.iter().filter_map(|c| Some((c.at - aside, median(&c.values)?))).collect();
            let bars = filled.iter().filter_map(|c| extremes(&c.values)).collect();
            let look = if aside > 0.0 { Look::Dots } else { Look::Line };
            let spread = Spread::Bars(bars);
            series.push(Series { look, spread, group: Some(index), ..Series::line(label.clone(), points) });
            let dots = filled.iter().flat_map(|c| c.values.iter().map(|&v| (c.at + aside, v))).collect();
            series.push(Series { look: Look::Dots, group: Some(index), ..Series::line(label, dots) });
            said.extend(filled.iter().filter_map(|c| {
                let ((low, high), middle) = (extremes(&c.values)?, median(&c.values)?);
                let [low, middle, high] = [low, middle, high].map(number);
                Some(format!("{}: median {middle}, from {low} to {high} (n = {})", c.name, c.values.len()))
            }));
        }
        let caption = sentences(&[
            self.caption.clone(),
            "Last measured value: median with a bar from least to largest, and a dot a seed".into(),
            left_out(&groups),
        ]);
        let y = Axis { scale: scale(self.log), ..Axis::linear(words(&self.y)) };
        let svg = lines(&LinePlot { title: title.clone(), x: axis, y, series, ..LinePlot::default() })?;
        Ok(Drawing { title, svg, caption, numbers: sentences(&said) })
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

    /// A series for each combination of the other labels.
    #[allow(clippy::type_complexity)]
    fn over_axis(
        &self,
        page: &Page,
        groups: &[Group<'_>],
        x: &str,
    ) -> Result<(Axis, Vec<(String, usize, Vec<Column>)>), PlotError> {
        let runs: Vec<&Run> = groups.iter().flat_map(Group::counting).collect();
        let values = AxisValues::of(page, &runs, x)?;
        let mut series: Vec<(String, usize, Vec<Column>)> = Vec::new();
        for run in runs {
            let Some((name, index)) = on_axis(run, x).and_then(|name| values.index(&name).map(|i| (name, i))) else {
                continue;
            };
            let mut others = Run { labels: run.labels.clone(), stage: run.stage.clone(), ..Run::default() };
            others.labels.remove(x);
            let label = if others.labels.is_empty() { String::new() } else { others.group() };
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
