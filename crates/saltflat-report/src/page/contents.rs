//! A page that compares runs, and the figures that it draws of them.

use std::{collections::BTreeSet, fmt::Debug, ops::Deref, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{CurveAxis, Field, ReportError, Row, Run, metric::headline_rank};

/// What a page shows.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Heading.
    pub title: String,
    /// What was asked and found, in plain text; blank lines part paragraphs.
    pub text: String,
    /// The runs, in the order in which groups shall appear.
    pub runs: Vec<Run>,
    /// The group that others are compared with: its name, its [`Run::group`] or its stage.
    pub baseline: Option<String>,
    /// The figures, in order.
    pub figures: Vec<AnyFigure>,
    /// What was claimed and what the runs say.
    pub findings: Vec<Finding>,
    /// What a reader must know about the runs, such as that one was given twice; a paragraph each.
    pub notes: Vec<String>,
    /// What the page is made from, if that is a study.
    pub source: Option<Source>,
}

/// The study that a page is made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Its name.
    pub study: String,
    /// The scale, if it was one of the study's.
    pub scale: Option<String>,
    /// Fingerprint of what determines runs and page: a page that has another one is not of this study as it is now.
    pub sha256: String,
}

/// A claim and what was found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// What should be seen.
    pub claim: String,
    /// What was seen, with its numbers.
    pub found: String,
    /// Whether it agrees; absent if that cannot be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holds: Option<bool>,
}

/// What a page draws of its runs.
///
/// A new kind is a file in `page/figures/` and a name in the list there; a kind of another crate goes into a page as
/// `AnyFigure::from(kind)`.
pub trait Figure: Debug + Send + Sync {
    /// Draws it from the runs of a page; some kinds draw one figure a group.
    ///
    /// # Errors
    /// [`ReportError::Nothing`] if no run holds what it shows, and what the drawing says.
    fn draw(&self, page: &Page) -> Result<Vec<Drawing>, ReportError>;

    /// Everything that it refers to, with the key that does, so that a name that does not exist can be refused before anything is
    /// measured.
    fn names(&self) -> Vec<(&'static str, Name<'_>)>;
}

/// A figure of any kind.
#[derive(Debug, Clone)]
pub struct AnyFigure(Arc<dyn Figure>);

impl<F: Figure + 'static> From<F> for AnyFigure {
    fn from(figure: F) -> Self {
        Self(Arc::new(figure))
    }
}

impl Deref for AnyFigure {
    type Target = dyn Figure;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

/// A figure that was drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawing {
    /// What is shown.
    pub title: String,
    /// The figure.
    pub svg: String,
    /// What to know when reading it: number of runs, what is left out, correlations.
    pub caption: String,
    /// The numbers in words, for those who cannot see it.
    pub numbers: String,
}

/// A name in a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name<'a> {
    /// A metric with one number in a row of a run.
    Metric(&'a str),
    /// A metric that is a list of numbers, one a sample.
    List(&'a str),
    /// A stage of the study.
    Stage(&'a str),
    /// A group of runs: its name, its labels or its stage.
    Group(&'a str),
    /// An axis of the study, or a key of the configuration.
    Axis(&'a str),
}

/// The rows that do not share their names with the row before.
fn other_names(rows: &[Row]) -> impl Iterator<Item = &Row> {
    let first = rows.first().into_iter();
    first.chain(rows.windows(2).filter(|pair| !pair[1].shares_names(&pair[0])).map(|pair| &pair[1]))
}

impl Page {
    /// The groups, in the order of their first runs.
    pub fn groups(&self) -> Vec<Group<'_>> {
        let stages: BTreeSet<&Option<String>> = self.runs.iter().map(|run| &run.stage).collect();
        let mut groups: Vec<Group<'_>> = Vec::new();
        for run in &self.runs {
            let name = match &run.stage {
                Some(stage) if stages.len() > 1 && !run.labels.is_empty() => format!("{stage}: {}", run.group()),
                _ => run.group(),
            };
            match groups.iter_mut().find(|g| g.name == name && g.stage() == run.stage.as_deref()) {
                Some(group) => group.runs.push(run),
                None => groups.push(Group { name, index: groups.len(), runs: vec![run] }),
            }
        }
        groups
    }

    /// The groups of a stage, if one is named, and of these the named ones, if any are.
    pub fn selected(&self, stage: Option<&str>, names: &[String]) -> Vec<Group<'_>> {
        let mut groups = self.groups();
        groups.retain(|g| stage.is_none_or(|stage| g.stage() == Some(stage)));
        groups.retain(|g| names.is_empty() || names.iter().any(|name| g.is(name)));
        groups
    }

    /// The baseline of a group, of its own stage if there is one; `None` if there is none or the group is it. An error if several
    /// groups are meant.
    pub(crate) fn baseline_of(&self, group: &Group<'_>) -> Option<Result<Group<'_>, String>> {
        let name = self.baseline.as_deref()?;
        let (own, others): (Vec<Group<'_>>, Vec<Group<'_>>) =
            self.groups().into_iter().filter(|g| g.is(name)).partition(|g| g.stage() == group.stage());
        let mut meant = if own.is_empty() { others } else { own };
        if meant.iter().any(|found| found.index == group.index) {
            return None;
        }
        if meant.len() > 1 {
            let names: Vec<&str> = meant.iter().map(|found| found.name.as_str()).collect();
            return Some(Err(format!("the baseline {name} is more than one group: {}", names.join("; "))));
        }
        meant.pop().map(Ok)
    }

    /// Every metric that some run has a number for, those of epochs too: losses, accuracies and curvature first.
    pub fn metrics(&self) -> Vec<String> {
        let mut names: BTreeSet<&str> = BTreeSet::new();
        for run in &self.runs {
            // Rows that share their names are looked at once.
            let of_measurements = other_names(&run.measurements).filter_map(|row| row.get("metrics"));
            let plain = other_names(&run.epochs).map(Row::all);
            names.extend(of_measurements.chain(plain).flat_map(Field::entries).map(|(name, _)| name));
        }
        for not_measured in ["kind", "epoch", "step", "lr", "seconds", "noise_steps"] {
            names.remove(not_measured);
        }
        let some = |name: &&str| self.runs.iter().any(|run| !run.curve(name, CurveAxis::Step).is_empty());
        let mut names: Vec<String> = names.into_iter().filter(some).map(String::from).collect();
        names.sort_by_key(|name| headline_rank(name).unwrap_or(usize::MAX));
        names
    }
}

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
