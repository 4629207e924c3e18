//! What all kinds of figures share: keys, axes, drawings.

use saltflat_config::Section;

use super::captions::sentences;
use crate::metric::words;
use crate::page::contents::{Drawing, Name, Page};
use crate::page::group::Group;
use crate::{Axis, LinePlot, ReportError, Scale, Series, lines};

/// Keys that every kind of figure has.
#[derive(Debug, Clone, Default)]
pub struct CommonKeys {
    /// Only runs of this stage.
    pub stage: Option<String>,
    /// Only these groups.
    pub groups: Vec<String>,
    /// Heading; without it the metrics in words.
    pub title: Option<String>,
    /// Precedes the sentences that every caption has.
    pub caption: String,
}

impl CommonKeys {
    pub(crate) fn read(section: &mut Section) -> Self {
        Self {
            stage: section.get("stage"),
            groups: section.get("groups").unwrap_or_default(),
            title: section.get("title"),
            caption: section.get("caption").unwrap_or_default(),
        }
    }

    /// These names of a kind, and those of the common keys.
    pub(crate) fn with_names<'a>(&'a self, mut names: Vec<(&'static str, Name<'a>)>) -> Vec<(&'static str, Name<'a>)> {
        names.extend(self.stage.iter().map(|name| ("stage", Name::Stage(name))));
        names.extend(self.groups.iter().map(|name| ("groups", Name::Group(name))));
        names
    }

    pub(crate) fn select<'a>(&self, page: &'a Page) -> Vec<Group<'a>> {
        page.selected(self.stage.as_deref(), &self.groups)
    }

    pub(crate) fn title_or(&self, default: impl FnOnce() -> String) -> String {
        self.title.clone().unwrap_or_else(default)
    }

    /// A caption of these sentences after the figure's own.
    pub(crate) fn caption(&self, parts: &[String]) -> String {
        sentences(&[std::slice::from_ref(&self.caption), parts].concat())
    }
}

/// A required key that names a metric.
pub(crate) fn metric_key(section: &mut Section, key: &'static str) -> String {
    section.required(key, "the name of a metric", |_| true)
}

/// A key that is true or false, the latter without it.
pub(crate) fn switch(section: &mut Section, key: &'static str) -> bool {
    section.get(key).unwrap_or_default()
}

/// Logarithmic or linear.
pub(crate) fn scale(log: bool) -> Scale {
    if log { Scale::Log } else { Scale::Linear }
}

/// The axis of a metric.
pub(crate) fn metric_axis(metric: &str, log: bool) -> Axis {
    Axis { scale: scale(log), ..Axis::linear(words(metric)) }
}

/// A drawing of series on two axes. `numbers` are sentences.
pub(crate) fn draw_lines(
    title: String,
    [x, y]: [Axis; 2],
    series: Vec<Series>,
    caption: String,
    numbers: &[String],
) -> Result<Drawing, ReportError> {
    let svg = lines(&LinePlot { title: title.clone(), x, y, series, ..LinePlot::default() })?;
    Ok(Drawing { title, svg, caption, numbers: sentences(numbers) })
}
