//! A list of numbers, one a sample, in order of size.

use saltflat_record::numbers;
use serde::Deserialize;

use super::{different_losses, left_out, nothing, sentences, title};
use crate::{
    Axis, LinePlot, PlotError, Run, Series,
    figure::{Drawing, scale},
    lines,
    metric::{heading, words},
    number,
    page::Page,
    statistics::median,
};

/// A metric that is a list, such as `feature_norms`, where it was last measured: the numbers of all samples in order of size
/// against their share, a line a group, the runs of a group taken together.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Samples {
    /// The metric.
    pub y: String,
    /// Whether its axis is logarithmic.
    #[serde(default)]
    pub log: bool,
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

impl Samples {
    pub(crate) fn draw(&self, page: &Page) -> Result<Drawing, PlotError> {
        let title = title(&self.title, || heading(words(&self.y).to_string()));
        let groups = page.selected(self.stage.as_deref(), &self.groups);
        let (mut series, mut said) = (Vec::new(), Vec::new());
        for group in &groups {
            let lists: Vec<Vec<f64>> =
                group.counting().map(|run| self.last(run)).filter(|list| !list.is_empty()).collect();
            let mut sorted = lists.concat();
            sorted.sort_by(f64::total_cmp);
            let n = sorted.len();
            let (Some(middle), [least, .., largest]) = (median(&sorted), sorted.as_slice()) else { continue };
            said.push(format!(
                "{}: {n} samples of {} runs, least {}, median {}, largest {}",
                group.name,
                lists.len(),
                number(*least),
                number(middle),
                number(*largest)
            ));
            let share = |(i, &y): (usize, &f64)| ((i as f64 + 0.5) / n as f64, y);
            let points = sorted.iter().enumerate().map(share).collect();
            series.push(Series { group: Some(group.index), ..Series::line(&group.name, points) });
        }
        if series.is_empty() {
            return Err(nothing(&title, &format!("the list {}", self.y), &groups));
        }
        let svg = lines(&LinePlot {
            title: title.clone(),
            x: Axis::linear("share of the samples, in order of size"),
            y: Axis { scale: scale(self.log), ..Axis::linear(words(&self.y)) },
            series,
            ..LinePlot::default()
        })?;
        let caption = sentences(&[
            self.caption.clone(),
            "Every sample at the last measurement, the seeds of a group together".into(),
            sentences(&said),
            different_losses(&groups, &[&self.y]),
            left_out(&groups),
        ]);
        Ok(Drawing { title, svg, caption, numbers: sentences(&said) })
    }

    /// The list where it was last measured.
    fn last(&self, run: &Run) -> Vec<f64> {
        run.measurements.iter().rev().map(|row| numbers(row, &self.y)).find(|list| !list.is_empty()).unwrap_or_default()
    }
}
