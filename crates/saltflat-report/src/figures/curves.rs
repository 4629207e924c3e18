//! A metric over epochs, steps or another metric.

use serde::Deserialize;

use super::{
    counts, different_losses, left_out, nothing, running_average_over, sentences, title,
    trajectories::{at_each_x, diverged, growth_rate, mean_of, thin},
};
use crate::{
    Axis, LinePlot, Look, Over, PlotError, Run, Series, Spread,
    figure::{Drawing, scale},
    lines,
    metric::{heading, words},
    number,
    page::{Group, Page},
    statistics::{extremes, median, running_average},
};

/// A metric over epochs, steps or another metric: a line a group, the median over its seeds, with a band from the least to the largest.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Curves {
    /// The metric.
    pub y: String,
    /// Over epochs (default), steps, or a metric whose values the seeds of a group share.
    #[serde(default)]
    pub x: Over,
    /// Whether its axis is logarithmic.
    #[serde(default)]
    pub log: bool,
    /// Whether the axis below is logarithmic.
    #[serde(default)]
    pub log_x: bool,
    /// Window of a running average along each run; 0 and 1 are none. One of more than a fifth of the rows is not made.
    #[serde(default)]
    pub smooth: usize,
    /// A dashed level to compare with.
    #[serde(default)]
    pub reference: Option<Reference>,
    /// Every run as a faint line with their mean on top, instead of the median with a band. Runs that diverged count as long as
    /// they are finite, and the mean ends where the first of them does.
    #[serde(default)]
    pub each: bool,
    /// From where to where on the axis below the growth of the mean is said: the slope of its logarithm, with the standard error
    /// of a jackknife over the runs.
    #[serde(default, deserialize_with = "growth_window")]
    pub growth: Option<[f64; 2]>,
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

/// A level: the median of the last values of a group or a stage.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// Its group.
    #[serde(default)]
    pub group: Option<String>,
    /// Its stage.
    #[serde(default)]
    pub stage: Option<String>,
    /// The metric; else that of the curves.
    #[serde(default)]
    pub metric: Option<String>,
}

impl Curves {
    pub(crate) fn draw(&self, page: &Page) -> Result<Drawing, PlotError> {
        let title = title(&self.title, || heading(words(&self.y).to_string()));
        let groups = page.selected(self.stage.as_deref(), &self.groups);
        let (mut series, mut said, mut counted, mut rates) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let drawn = groups.iter().flat_map(|group| self.runs(group));
        let (window, smoothed) =
            running_average_over(self.smooth, drawn.map(|run| run.curve(&self.y, self.x.clone()).len()));
        for group in &groups {
            let curves: Vec<Vec<(f64, f64)>> =
                self.runs(group).map(|run| self.curve(run, window)).filter(|curve| !curve.is_empty()).collect();
            let line = match self.each {
                true => mean_of(&group.name, group.index, &curves),
                false => over_seeds(&group.name, group.index, &curves),
            };
            let Some(line) = line else { continue };
            rates.extend(self.growth.map(|window| growth_rate(&group.name, &curves, window, self.x.name())));
            if self.each {
                series.extend(thin(group.index, &curves));
            }
            if let [(x0, y0), .., (x1, y1)] = line.points[..] {
                let (over, from, to) = (words(self.x.name()), number(y0), number(y1));
                said.push(format!("{}: {from} at {over} {}, {to} at {over} {}", group.name, number(x0), number(x1)));
            }
            counted.push((group.name.clone(), curves.len()));
            series.push(line);
        }
        if series.is_empty() {
            return Err(nothing(&title, &self.y, &groups));
        }
        let ends = extremes(&series.iter().flat_map(|s| s.points.iter().map(|p| p.0)).collect::<Vec<_>>());
        if let (Some(reference), Some((low, high))) = (&self.reference, ends) {
            let (name, index, level) = reference.level(page, &self.y)?;
            let label = format!("{name}, last value: {}", number(level));
            said.push(label.clone());
            let points = vec![(low, level), (high, level)];
            series.push(Series { look: Look::Dashed, group: Some(index), ..Series::line(label, points) });
        }
        let many = counted.iter().any(|(_, n)| *n > 1);
        let caption = sentences(&[
            self.caption.clone(),
            match many {
                true if self.each => format!("A faint line a run, the mean over them on top; {}", counts(&counted)),
                true => format!("Median over seeds, band from least to largest; {}", counts(&counted)),
                false => "One run a line".into(),
            },
            sentences(&rates),
            smoothed,
            self.different_losses(page, &groups),
            if self.each { diverged(&groups) } else { left_out(&groups) },
        ]);
        let svg = lines(&LinePlot {
            title: title.clone(),
            x: Axis { scale: scale(self.log_x), ..Axis::linear(words(self.x.name())) },
            y: Axis { scale: scale(self.log), ..Axis::linear(words(&self.y)) },
            series,
            ..LinePlot::default()
        })?;
        said.extend(rates);
        Ok(Drawing { title, svg, caption, numbers: sentences(&said) })
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
        let curve = run.curve(&self.y, self.x.clone());
        let ys: Vec<f64> = curve.iter().map(|p| p.1).collect();
        curve.iter().map(|p| p.0).zip(running_average(&ys, window)).collect()
    }
}

impl Reference {
    fn groups<'a>(&self, page: &'a Page) -> Vec<Group<'a>> {
        page.selected(self.stage.as_deref(), self.group.as_slice())
    }

    /// Name, place among the groups and level.
    fn level(&self, page: &Page, metric: &str) -> Result<(String, usize, f64), PlotError> {
        let metric = self.metric.as_deref().unwrap_or(metric);
        let groups = self.groups(page);
        let found: Vec<f64> = groups.iter().flat_map(|g: &Group<'_>| g.finals(metric)).collect();
        let name = self.group.as_ref().or(self.stage.as_ref()).cloned().unwrap_or_else(|| words(metric).into());
        match (median(&found), groups.first()) {
            (Some(level), Some(group)) => Ok((name, group.index, level)),
            _ => Err(nothing(&format!("the reference {name}"), metric, &groups)),
        }
    }
}

/// The median over runs at each x with a band, where there are several.
fn over_seeds(name: &str, index: usize, curves: &[Vec<(f64, f64)>]) -> Option<Series> {
    let (mut points, mut band) = (Vec::new(), Vec::new());
    for (x, ys) in at_each_x(curves) {
        points.extend(median(&ys).map(|middle| (x, middle)));
        band.extend(extremes(&ys));
    }
    let spread = if curves.len() > 1 { Spread::Band(band) } else { Spread::None };
    (!points.is_empty()).then(|| Series { spread, group: Some(index), ..Series::line(name, points) })
}

/// Two finite numbers in increasing order.
fn growth_window<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<[f64; 2]>, D::Error> {
    let [from, to] = <[f64; 2]>::deserialize(deserializer)?;
    match from.is_finite() && to.is_finite() && from < to {
        true => Ok(Some([from, to])),
        false => {
            let said = format!("growth: expected two numbers, the smaller one first, got [{from}, {to}]");
            Err(serde::de::Error::custom(said))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_meet_at_equal_x_and_only_there() {
        let curves = [vec![(0.25, 1.0), (0.75, 5.0)], vec![(0.75, 3.0), (0.25, 2.0)], vec![(0.25, 9.0)]];
        let series = over_seeds("label noise", 0, &curves).unwrap();
        assert_eq!(series.points, [(0.25, 2.0), (0.75, 4.0)]);
        assert_eq!(series.spread, Spread::Band(vec![(1.0, 9.0), (3.0, 5.0)]));
        assert!(over_seeds("label noise", 0, &[Vec::new()]).is_none());
    }

    #[test]
    fn x_is_epochs_steps_or_a_metric() {
        let over = |text: &str| toml::from_str::<Curves>(&format!("y = 'loss'\n{text}")).unwrap().x;
        assert_eq!((over(""), over("x = 'step'")), (Over::Epoch, Over::Step));
        assert_eq!(over("x = 'eta_l'"), Over::Metric("eta_l".into()));
        let text = r#"[{"step":4,"metrics":{"eta_l":0.5,"loss":2.0}},{"step":8,"metrics":{"loss":1.0}}]"#;
        let run = Run { measurements: serde_json::from_str(text).unwrap(), ..Run::default() };
        assert_eq!(run.curve("loss", over("x = 'eta_l'")), [(0.5, 2.0)]);
        assert_eq!(run.curve("loss", Over::Step), [(4.0, 2.0), (8.0, 1.0)]);
    }
}
