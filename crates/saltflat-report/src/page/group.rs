//! The runs of a page that differ in their seeds alone.

use crate::Run;

/// The runs that differ in their seeds alone.
#[derive(Debug, Clone)]
pub struct Group<'a> {
    /// [`Run::group`], after its stage if a page has several.
    pub name: String,
    /// Place on the page, which gives it its colour and marker.
    pub index: usize,
    /// Its runs, in order.
    pub runs: Vec<&'a Run>,
}

impl<'a> Group<'a> {
    /// The runs that neither diverged nor failed: figures and means are of these.
    pub fn counting(&self) -> impl Iterator<Item = &'a Run> {
        self.runs.iter().copied().filter(|run| run.counts())
    }

    /// The last values of a metric, one a counting run that has it.
    pub fn finals(&self, metric: &str) -> Vec<f64> {
        self.counting().filter_map(|run| run.last(metric)).collect()
    }

    /// Whether a filter or a baseline means this group: by its name, its labels or its stage.
    pub fn is(&self, name: &str) -> bool {
        let of_run = |run: &&Run| run.group() == name || run.stage.as_deref() == Some(name);
        self.name == name || self.runs.first().is_some_and(of_run)
    }

    pub(crate) fn stage(&self) -> Option<&'a str> {
        self.runs.first().and_then(|run| run.stage.as_deref())
    }
}
