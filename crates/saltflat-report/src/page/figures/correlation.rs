//! One metric against another along the trajectories.

use saltflat_config::Section;

use super::common::{
    CommonKeys, FigureKind, different_losses, draw_lines, left_out, metric_axis, metric_key, no_data,
    running_average_window,
};
use crate::metric::{heading, words};
use crate::page::contents::{Drawing, Figure, Group, Name, Page};
use crate::statistics::{pearson, running_average, spearman};
use crate::{CurveAxis, ReportError, Run, Series, SeriesStyle};

/// Fewer points, counted a window of the running average each, give no correlation: of 20 that are independent, one of 0.44
/// in size is needed for p < 0.05, and those of a trajectory are not independent.
const LEAST_POINTS: usize = 20;

/// One metric against another: a point an epoch of each run, one colour a group.
#[derive(Debug, Clone, Default)]
pub struct Correlation {
    /// Metric of the axis below.
    pub x: String,
    /// Metric of the axis at the left.
    pub y: String,
    /// Window of a running average of both along each run, in measurements; 0 and 1 are none. One of more than a
    /// fifth of the measurements is not made.
    pub smooth: usize,
    /// Whether the axis below is logarithmic.
    pub log_x: bool,
    /// Whether the axis at the left is logarithmic.
    pub log_y: bool,
    /// The keys of every kind.
    pub common: CommonKeys,
}

impl FigureKind for Correlation {
    const NAME: &'static str = "correlation";
    const EXAMPLE: &'static str = "x = \"trace_hessian\"\ny = \"test_accuracy\"\nlog_x = true\n";

    fn read(section: &mut Section) -> Self {
        Self {
            x: metric_key(section, "x"),
            y: metric_key(section, "y"),
            smooth: section.get("smooth").unwrap_or_default(),
            log_x: section.get("log_x").unwrap_or_default(),
            log_y: section.get("log_y").unwrap_or_default(),
            common: CommonKeys::read(section),
        }
    }
}

impl Figure for Correlation {
    fn draw(&self, page: &Page) -> Result<Vec<Drawing>, ReportError> {
        let own = || heading(format!("{} against {}", words(&self.y), words(&self.x)));
        let (title, groups) = (self.common.title_or(own), self.common.select(page));
        let (mut series, mut numbers, mut all) = (Vec::new(), Vec::new(), Vec::new());
        let lengths = groups.iter().flat_map(Group::counting).map(|run| self.points(run, 1).len());
        let (window, smoothed) = running_average_window(self.smooth, lengths);
        for group in &groups {
            let points: Vec<(f64, f64)> = group.counting().flat_map(|run| self.points(run, window)).collect();
            if points.is_empty() {
                continue;
            }
            numbers.push(correlations(&group.name, &points, window));
            all.extend_from_slice(&points);
            series.push(Series {
                look: SeriesStyle::Dots,
                group: Some(group.index),
                ..Series::line(&group.name, points)
            });
        }
        if series.is_empty() {
            return Err(no_data(&title, &format!("{} and {} at one epoch", self.x, self.y), &groups));
        }
        let different = different_losses(&groups, &[&self.x, &self.y]);
        if series.len() > 1 && different.is_empty() {
            numbers.push(correlations("all together", &all, window));
        }
        let mut parts = vec![
            "A point a measurement of each run".into(),
            smoothed,
            "Points of one trajectory depend on each other, so n is no measure of certainty".into(),
        ];
        parts.extend(numbers.iter().cloned());
        parts.extend([different, left_out(&groups)]);
        let axes = [metric_axis(&self.x, self.log_x), metric_axis(&self.y, self.log_y)];
        Ok(vec![draw_lines(title, axes, series, self.common.caption(&parts), &numbers)?])
    }

    fn names(&self) -> Vec<(&'static str, Name<'_>)> {
        self.common.with_names(vec![("x", Name::Metric(&self.x)), ("y", Name::Metric(&self.y))])
    }
}

impl Correlation {
    /// One metric against another.
    pub fn new(x: &str, y: &str) -> Self {
        Self { x: x.into(), y: y.into(), ..Self::default() }
    }

    /// Both metrics at the epochs at which both are known.
    fn points(&self, run: &Run, window: usize) -> Vec<(f64, f64)> {
        let ys = run.curve(&self.y, CurveAxis::Epoch);
        let at = |epoch: f64| ys.iter().find(|p| p.0 == epoch).map(|p| p.1);
        let xs = run.curve(&self.x, CurveAxis::Epoch);
        let both: Vec<(f64, f64)> = xs.into_iter().filter_map(|(epoch, x)| Some((x, at(epoch)?))).collect();
        let smooth = |of: fn(&(f64, f64)) -> f64| running_average(&both.iter().map(of).collect::<Vec<_>>(), window);
        smooth(|p| p.0).into_iter().zip(smooth(|p| p.1)).collect()
    }
}

/// Both correlations of the points, if there are enough of them beside the window of the running average.
fn correlations(name: &str, points: &[(f64, f64)], window: usize) -> String {
    let n = points.len();
    if n / window.max(1) < LEAST_POINTS {
        let asked = match window {
            0 | 1 => format!("{LEAST_POINTS} are asked for"),
            _ => format!("{LEAST_POINTS} windows of {window} are asked for"),
        };
        return format!("{name}: no correlation of n = {n} points; {asked}");
    }
    match (pearson(points), spearman(points)) {
        (Some(r), Some(rho)) => {
            let [r, rho] = [r, rho].map(|c| format!("{c:.2}").replace('-', "−"));
            format!("{name}: Pearson {r}, Spearman {rho} (n = {n})")
        }
        _ => format!("{name}: no correlation, since one of the two is constant (n = {n})"),
    }
}
