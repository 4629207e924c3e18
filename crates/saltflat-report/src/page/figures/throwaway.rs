//! A throw-away kind.

use saltflat_config::Section;
use saltflat_record::numbers;

use super::common::{
    CommonKeys, FigureKind, different_losses, draw_lines, left_out, metric_axis, metric_key, no_data, sentences,
};
use crate::metric::{heading, words};
use crate::page::contents::{Drawing, Figure, Name, Page};
use crate::statistics::median;
use crate::{Axis, ReportError, Run, Series, number};

/// A metric that is a list, such as `feature_norms`, at its last measurement: the numbers of all samples in order of size
/// against their share, a line a group, the runs of a group taken together.
#[derive(Debug, Clone, Default)]
pub struct Throwaway {
    /// The metric.
    pub y: String,
    /// Whether its axis is logarithmic.
    pub log: bool,
    /// The keys of every kind.
    pub common: CommonKeys,
}

impl FigureKind for Throwaway {
    const NAME: &'static str = "throwaway";
    const EXAMPLE: &'static str = "y = \"feature_norms\"\n";

    fn read(section: &mut Section) -> Self {
        Self {
            y: metric_key(section, "y"),
            log: section.get("log").unwrap_or_default(),
            common: CommonKeys::read(section),
        }
    }
}

impl Figure for Throwaway {
    fn draw(&self, page: &Page) -> Result<Vec<Drawing>, ReportError> {
        let title = self.common.title_or(|| heading(words(&self.y).to_string()));
        let groups = self.common.select(page);
        let (mut series, mut sizes) = (Vec::new(), Vec::new());
        for group in &groups {
            let lists: Vec<Vec<f64>> =
                group.counting().map(|run| self.last(run)).filter(|list| !list.is_empty()).collect();
            let mut sorted = lists.concat();
            sorted.sort_by(f64::total_cmp);
            let n = sorted.len();
            let (Some(middle), [least, .., largest]) = (median(&sorted), sorted.as_slice()) else { continue };
            let [least, middle, largest] = [*least, middle, *largest].map(number);
            sizes.push(format!(
                "{}: {n} samples of {} runs, least {least}, median {middle}, largest {largest}",
                group.name,
                lists.len()
            ));
            let share = |(i, &y): (usize, &f64)| ((i as f64 + 0.5) / n as f64, y);
            let points = sorted.iter().enumerate().map(share).collect();
            series.push(Series { group: Some(group.index), ..Series::line(&group.name, points) });
        }
        if series.is_empty() {
            return Err(no_data(&title, &format!("the list {}", self.y), &groups));
        }
        let caption = self.common.caption(&[
            "Every sample at the last measurement, the seeds of a group together".into(),
            sentences(&sizes),
            different_losses(&groups, &[&self.y]),
            left_out(&groups),
        ]);
        let axes = [Axis::linear("share of the samples, in order of size"), metric_axis(&self.y, self.log)];
        Ok(vec![draw_lines(title, axes, series, caption, &sizes)?])
    }

    fn names(&self) -> Vec<(&'static str, Name<'_>)> {
        self.common.with_names(vec![("y", Name::List(&self.y))])
    }
}

impl Throwaway {
    fn last(&self, run: &Run) -> Vec<f64> {
        run.measurements.iter().rev().map(|row| numbers(row, &self.y)).find(|list| !list.is_empty()).unwrap_or_default()
    }
}
