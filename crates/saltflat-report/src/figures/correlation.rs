//! One metric against another along the trajectories.

use serde::Deserialize;

use super::{different_losses, left_out, nothing, running_average_over, sentences, title};
use crate::{
    Axis, LinePlot, Look, Over, PlotError, Run, Series,
    figure::{Drawing, scale},
    lines,
    metric::{heading, words},
    page::{Group, Page},
    statistics::{pearson, running_average, spearman},
};

/// Fewer points, counted a window of the running average each, give no correlation: of 20 that are independent, one of 0.44
/// in size is needed for p < 0.05, and those of a trajectory are not independent.
const LEAST_POINTS: usize = 20;

/// One metric against another: a point an epoch of each run, one colour a group.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Correlation {
    /// Metric of the axis below.
    pub x: String,
    /// Metric of the axis at the left.
    pub y: String,
    /// Window of a running average of both along each run, in measurements; 0 and 1 are none. One of more than a
    /// fifth of the measurements is not made.
    #[serde(default)]
    pub smooth: usize,
    /// Whether the axis below is logarithmic.
    #[serde(default)]
    pub log_x: bool,
    /// Whether the axis at the left is logarithmic.
    #[serde(default)]
    pub log_y: bool,
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

impl Correlation {
    pub(crate) fn draw(&self, page: &Page) -> Result<Drawing, PlotError> {
        let title = title(&self.title, || heading(format!("{} against {}", words(&self.y), words(&self.x))));
        let groups = page.selected(self.stage.as_deref(), &self.groups);
        let (mut series, mut said, mut all) = (Vec::new(), Vec::new(), Vec::new());
        let lengths = groups.iter().flat_map(Group::counting).map(|run| self.points(run, 1).len());
        let (window, smoothed) = running_average_over(self.smooth, lengths);
        for group in &groups {
            let points: Vec<(f64, f64)> = group.counting().flat_map(|run| self.points(run, window)).collect();
            if points.is_empty() {
                continue;
            }
            said.push(correlations(&group.name, &points, window));
            all.extend_from_slice(&points);
            series.push(Series { look: Look::Dots, group: Some(group.index), ..Series::line(&group.name, points) });
        }
        if series.is_empty() {
            return Err(nothing(&title, &format!("{} and {} at one epoch", self.x, self.y), &groups));
        }
        let different = different_losses(&groups, &[&self.x, &self.y]);
        if series.len() > 1 && different.is_empty() {
            said.push(correlations("all together", &all, window));
        }
        let mut parts = vec![
            self.caption.clone(),
            "A point a measurement of each run".into(),
            smoothed,
            "Points of one trajectory depend on each other, so n is no measure of certainty".into(),
        ];
        parts.extend(said.iter().cloned());
        parts.push(different);
        parts.push(left_out(&groups));
        let svg = lines(&LinePlot {
            title: title.clone(),
            x: Axis { scale: scale(self.log_x), ..Axis::linear(words(&self.x)) },
            y: Axis { scale: scale(self.log_y), ..Axis::linear(words(&self.y)) },
            series,
            ..LinePlot::default()
        })?;
        Ok(Drawing { title, svg, caption: sentences(&parts), numbers: sentences(&said) })
    }

    /// Both metrics at the epochs where both are known.
    fn points(&self, run: &Run, window: usize) -> Vec<(f64, f64)> {
        let ys = run.curve(&self.y, Over::Epoch);
        let at = |epoch: f64| ys.iter().find(|p| p.0 == epoch).map(|p| p.1);
        let xs = run.curve(&self.x, Over::Epoch);
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
