//! A metric over epochs, steps or another metric.

use saltflat_config::Section;

use super::common::{
    CommonKeys, FigureKind, counts, different_losses, draw_lines, left_out, left_out_but_diverged, metric_axis,
    metric_key, no_data, running_average_window, sentences,
};
use super::compared::Compared;
use super::level::Level;
use super::run_values::{faint_lines, growth_in_words, mean_line, median_line};
use crate::metric::{heading, words};
use crate::page::contents::{Drawing, Figure, Group, Name, Page};
use crate::statistics::{extremes, median, running_average};
use crate::{CurveAxis, ReportError, Run, Series, SeriesStyle, number};

/// A metric over epochs, steps or another metric: a line a group, the median over its seeds, with a band from the least to the
/// largest.
#[derive(Debug, Clone, Default)]
pub struct Curves {
    /// The metric.
    pub y: String,
    /// Over epochs (default), steps, or a metric whose values the seeds of a group share.
    pub x: CurveAxis,
    /// Whether its axis is logarithmic.
    pub log: bool,
    /// Whether the axis below is logarithmic.
    pub log_x: bool,
    /// Window of a running average along each run; 0 and 1 are none. One of more than a fifth of the rows is not made.
    pub smooth: usize,
    /// A dashed level to compare with.
    pub reference: Option<Reference>,
    /// Dashed lines to compare with, at the settings of each group: one for all if their values are equal. `None` takes the bounds
    /// that the catalogue compares the metric with, such as 2(1 + β)/η for `top_eigenvalues`; an empty list draws none.
    pub lines: Option<Vec<Level>>,
    /// Every run as a faint line with their mean on top, instead of the median with a band. Runs that diverged count as long as
    /// they are finite, and the mean ends when the first of them does.
    pub each: bool,
    /// The range on the axis below over which the growth of the mean is given: the slope of its logarithm, with the standard error
    /// of a jackknife over the runs.
    pub growth: Option<[f64; 2]>,
    /// The keys of every kind.
    pub common: CommonKeys,
}

/// A level: the median of the last values of a group or a stage.
#[derive(Debug, Clone, Default)]
pub struct Reference {
    /// Its group.
    pub group: Option<String>,
    /// Its stage.
    pub stage: Option<String>,
    /// The metric; else that of the curves.
    pub metric: Option<String>,
}

impl FigureKind for Curves {
    const NAME: &'static str = "curves";
    const EXAMPLE: &'static str = "y = \"trace_hessian\"\nx = \"step\"\nlog = true\nsmooth = 3\n";

    fn read(section: &mut Section) -> Self {
        Self {
            y: metric_key(section, "y"),
            x: section.get("x").map(|x: String| x.into()).unwrap_or_default(),
            log: section.get("log").unwrap_or_default(),
            log_x: section.get("log_x").unwrap_or_default(),
            smooth: section.get("smooth").unwrap_or_default(),
            reference: Reference::read(section),
            lines: Level::read_list(section, "lines"),
            each: section.get("each").unwrap_or_default(),
            growth: growth_window(section),
            common: CommonKeys::read(section),
        }
    }
}

/// Two finite numbers in increasing order.
fn growth_window(section: &mut Section) -> Option<[f64; 2]> {
    let is_window = |ends: &Vec<f64>| matches!(ends[..], [from, to] if from.is_finite() && to.is_finite() && from < to);
    section.optional("growth", "two numbers, the smaller one first", is_window)?.try_into().ok()
}

impl Figure for Curves {
    fn draw(&self, page: &Page) -> Result<Vec<Drawing>, ReportError> {
        let title = self.common.title_or(|| heading(words(&self.y).to_string()));
        let groups = self.common.select(page);
        let (mut series, mut numbers, mut counted, mut rates) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let drawn = groups.iter().flat_map(|group| self.runs(group));
        let (window, smoothed) =
            running_average_window(self.smooth, drawn.map(|run| run.curve(&self.y, self.x.clone()).len()));
        let over = words(self.x.name());
        for group in &groups {
            let curves: Vec<Vec<(f64, f64)>> =
                self.runs(group).map(|run| self.curve(run, window)).filter(|curve| !curve.is_empty()).collect();
            let line = if self.each { mean_line(group, &curves) } else { median_line(group, &curves) };
            let Some(line) = line else { continue };
            rates.extend(self.growth.map(|window| growth_in_words(&group.name, &curves, window, self.x.name())));
            if self.each {
                series.extend(faint_lines(group, &curves));
            }
            if let [(x0, y0), .., (x1, y1)] = line.points[..] {
                let [x0, y0, x1, y1] = [x0, y0, x1, y1].map(number);
                numbers.push(format!("{}: {y0} at {over} {x0}, {y1} at {over} {x1}", group.name));
            }
            counted.push((group.name.clone(), curves.len()));
            series.push(line);
        }
        if series.is_empty() {
            return Err(no_data(&title, &self.y, &groups));
        }
        let ends = extremes(&series.iter().flat_map(|s| s.points.iter().map(|p| p.0)).collect::<Vec<_>>());
        if let (Some(reference), Some((low, high))) = (&self.reference, ends) {
            let (name, index, level) = reference.level(page, &self.y)?;
            let label = format!("{name}, last value: {}", number(level));
            numbers.push(label.clone());
            let points = vec![(low, level), (high, level)];
            series.push(Series { look: SeriesStyle::Dashed, group: Some(index), ..Series::line(label, points) });
        }
        let drawn = groups.iter().map(|group| (group, self.runs(group).collect())).collect::<Vec<_>>();
        let compared = Compared::new(self.lines.as_deref(), &self.y, &self.x, &drawn);
        numbers.extend(compared.sentences);
        series.extend(compared.series);
        let many = counted.iter().any(|(_, n)| *n > 1);
        let caption = self.common.caption(&[
            match many {
                true if self.each => format!("A faint line a run, the mean over them on top; {}", counts(&counted)),
                true => format!("Median over seeds, band from least to largest; {}", counts(&counted)),
                false => "One run a line".into(),
            },
            sentences(&rates),
            smoothed,
            compared.missing,
            self.different_losses(page, &groups),
            if self.each { left_out_but_diverged(&groups) } else { left_out(&groups) },
        ]);
        numbers.extend(rates);
        let axes = [metric_axis(self.x.name(), self.log_x), metric_axis(&self.y, self.log)];
        Ok(vec![draw_lines(title, axes, series, caption, &numbers)?])
    }

    fn names(&self) -> Vec<(&'static str, Name<'_>)> {
        let mut names = vec![("y", Name::Metric(&self.y))];
        if let CurveAxis::Metric(x) = &self.x {
            names.push(("x", Name::Metric(x)));
        }
        if let Some(reference) = &self.reference {
            names.extend(reference.metric.iter().map(|name| ("reference.metric", Name::Metric(name))));
            names.extend(reference.stage.iter().map(|name| ("reference.stage", Name::Stage(name))));
            names.extend(reference.group.iter().map(|name| ("reference.group", Name::Group(name))));
        }
        for level in self.lines.iter().flatten() {
            match level {
                Level::Constant(_) => {}
                Level::Metric(name) => names.push(("lines", Name::Metric(name))),
                Level::Expression(expression) => names.extend(expression.keys().map(|key| ("lines", Name::Axis(key)))),
            }
        }
        self.common.with_names(names)
    }
}

impl Curves {
    /// A metric over epochs.
    pub fn new(y: &str) -> Self {
        Self { y: y.into(), ..Self::default() }
    }

    /// Also of the reference.
    fn different_losses(&self, page: &Page, groups: &[Group<'_>]) -> String {
        let (mut groups, mut metrics) = (groups.to_vec(), vec![self.y.as_str(), self.x.name()]);
        if let Some(reference) = &self.reference {
            groups.extend(reference.groups(page));
            metrics.extend(reference.metric.as_deref());
        }
        different_losses(&groups, &metrics)
    }

    /// The runs of a group that are drawn. A trajectory that diverges is a part of the mean as long as it is finite: without
    /// those that grow fastest the mean would grow too slowly.
    fn runs<'a>(&self, group: &Group<'a>) -> impl Iterator<Item = &'a Run> {
        let each = self.each;
        group.runs.clone().into_iter().filter(move |run| run.counts() || each && run.status == "diverged")
    }

    fn curve(&self, run: &Run, window: usize) -> Vec<(f64, f64)> {
        let (xs, ys): (Vec<f64>, Vec<f64>) = run.curve(&self.y, self.x.clone()).into_iter().unzip();
        xs.into_iter().zip(running_average(&ys, window)).collect()
    }
}

impl Reference {
    fn read(section: &mut Section) -> Option<Self> {
        let is_given = section.has("reference");
        let mut section = section.section("reference");
        let reference =
            Self { group: section.get("group"), stage: section.get("stage"), metric: section.get("metric") };
        section.finish("reference");
        is_given.then_some(reference)
    }

    fn groups<'a>(&self, page: &'a Page) -> Vec<Group<'a>> {
        page.selected(self.stage.as_deref(), self.group.as_slice())
    }

    /// Name, place among the groups and level.
    fn level(&self, page: &Page, metric: &str) -> Result<(String, usize, f64), ReportError> {
        let metric = self.metric.as_deref().unwrap_or(metric);
        let groups = self.groups(page);
        let found: Vec<f64> = groups.iter().flat_map(|g| g.finals(metric)).collect();
        let name = self.group.as_ref().or(self.stage.as_ref()).cloned().unwrap_or_else(|| words(metric).into());
        match (median(&found), groups.first()) {
            (Some(level), Some(group)) => Ok((name, group.index, level)),
            _ => Err(no_data(&format!("the reference {name}"), metric, &groups)),
        }
    }
}

#[cfg(test)]
mod tests {
    use saltflat_config::{Problems, parse};

    use super::*;

    #[test]
    fn x_is_epochs_steps_or_a_metric() {
        let over = |text: &str| {
            let table = parse(&format!("y = 'loss'\n{text}")).unwrap();
            Curves::read(&mut Section::root(table, std::path::Path::new(""), &Problems::default())).x
        };
        assert_eq!((over(""), over("x = 'step'")), (CurveAxis::Epoch, CurveAxis::Step));
        assert_eq!(over("x = 'eta_l'"), CurveAxis::Metric("eta_l".into()));
        let text = r#"[{"step":4,"metrics":{"eta_l":0.5,"loss":2.0}},{"step":8,"metrics":{"loss":1.0}}]"#;
        let run = Run { measurements: serde_json::from_str(text).unwrap(), ..Run::default() };
        assert_eq!(run.curve("loss", over("x = 'eta_l'")), [(0.5, 2.0)]);
        assert_eq!(run.curve("loss", CurveAxis::Step), [(4.0, 2.0), (8.0, 1.0)]);
    }
}
