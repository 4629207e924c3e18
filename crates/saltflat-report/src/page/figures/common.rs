//! What all kinds of figures share: how a kind is read, keys, axes, drawings, and what captions say of runs, losses and averages.

use saltflat_config::{Listed, Section};

use crate::measured_loss::{KnownLoss, in_words};
use crate::metric::words;
use crate::page::contents::{Drawing, Figure, Group, Name, Page};
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

pub(crate) fn metric_key(section: &mut Section, key: &'static str) -> String {
    section.required(key, "the name of a metric", |_| true)
}

pub(crate) fn scale(log: bool) -> Scale {
    if log { Scale::Log } else { Scale::Linear }
}

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

/// A kind of figure that a table can name.
pub trait FigureKind: Figure + Listed + Sized {
    /// Its name in TOML.
    const NAME: &'static str;
    /// The keys of a small valid figure of this kind, without `kind`.
    const EXAMPLE: &'static str;

    /// Reads its keys. A problem is noted in the section, and a default stands in its place.
    fn read(section: &mut Section) -> Self;
}

pub(super) fn no_data(title: &str, what: &str, groups: &[Group<'_>]) -> ReportError {
    let runs: usize = groups.iter().map(|g| g.counting().count()).sum();
    ReportError::Nothing {
        reason: format!("{title}: none of {runs} runs that neither diverged nor failed holds {what}"),
    }
}

/// Sentences in one paragraph; blank ones are left out.
pub(super) fn sentences(parts: &[String]) -> String {
    let end = |s: &String| if s.ends_with(['.', '?', '!', ':']) { s.clone() } else { format!("{s}.") };
    parts.iter().map(|s| s.trim().to_string()).filter(|s| !s.is_empty()).map(|s| end(&s)).collect::<Vec<_>>().join(" ")
}

/// `n = 3`, or the number of each group if they differ.
pub(super) fn counts(counted: &[(String, usize)]) -> String {
    match counted {
        [] => String::new(),
        [(_, n), rest @ ..] if rest.iter().all(|(_, m)| m == n) => match rest.is_empty() {
            true => format!("n = {n}"),
            false => format!("n = {n} each"),
        },
        all => {
            let each: Vec<String> = all.iter().map(|(name, n)| format!("{n} ({name})")).collect();
            format!("n = {}", each.join(", "))
        }
    }
}

/// What is said of runs that diverged or failed, which are left out.
pub(super) fn left_out(groups: &[Group<'_>]) -> String {
    let counted = ["diverged", "failed"].map(|status| (runs_with(groups, status), status));
    let parts: Vec<String> =
        counted.into_iter().filter(|(n, _)| *n > 0).map(|(n, status)| format!("{n} {status}")).collect();
    if parts.is_empty() { String::new() } else { format!("Left out: {}", parts.join(", ")) }
}

/// The same if the runs that diverged count.
pub(super) fn left_out_but_diverged(groups: &[Group<'_>]) -> String {
    let [diverged, failed] = ["diverged", "failed"].map(|status| runs_with(groups, status));
    let count = "diverged and count as long as they are finite; the mean ends where the first of them does";
    sentences(&[
        if diverged > 0 { format!("{diverged} {count}") } else { String::new() },
        if failed > 0 { format!("Left out: {failed} failed") } else { String::new() },
    ])
}

fn runs_with(groups: &[Group<'_>], status: &str) -> usize {
    groups.iter().flat_map(|group| &group.runs).filter(|run| run.status == status).count()
}

/// What is said if the metrics of the groups depend on different losses: their levels are no measure of each other.
pub(super) fn different_losses(groups: &[Group<'_>], metrics: &[&str]) -> String {
    let mut losses: Vec<(KnownLoss, Vec<&str>)> = Vec::new();
    for group in groups {
        for loss in group.runs.iter().flat_map(|run| metrics.iter().flat_map(|name| run.losses_of(name))) {
            match losses.iter_mut().find(|(known, _)| *known == loss) {
                Some((_, names)) if names.contains(&group.name.as_str()) => {}
                Some((_, names)) => names.push(&group.name),
                None => losses.push((loss, vec![&group.name])),
            }
        }
    }
    if losses.len() < 2 {
        return String::new();
    }
    let of = |(loss, names): &(KnownLoss, Vec<&str>)| match names.as_slice() {
        [one, two, three, _, ..] => format!("{} ({one}, {two}, {three} and {} more)", in_words(loss), names.len() - 3),
        few => format!("{} ({})", in_words(loss), few.join(", ")),
    };
    let each: Vec<String> = losses.iter().map(of).collect();
    format!("Not on one loss, so levels cannot be compared across: {}", each.join("; "))
}

/// The window of a running average over the rows of a run, and what is said of it. One of more than a fifth of the rows of the
/// shortest run shows little but itself, so it is not made.
pub(super) fn running_average_window(window: usize, lengths: impl Iterator<Item = usize>) -> (usize, String) {
    let shortest = lengths.filter(|n| *n > 0).min().unwrap_or(0);
    match window {
        0 | 1 => (1, String::new()),
        _ if window.saturating_mul(5) > shortest => (
            1,
            format!(
                "Not smoothed: a running average over {window} rows would be over more than a fifth of the {shortest} rows of \
                 the shortest run"
            ),
        ),
        _ => (window, format!("Running average over {window} rows; the shortest run has {shortest}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_at_most_a_fifth_of_the_rows() {
        let over = |window, lengths: &[usize]| running_average_window(window, lengths.iter().copied());
        assert_eq!(over(0, &[6]), (1, String::new()));
        assert_eq!(over(10, &[50, 80]), (10, "Running average over 10 rows; the shortest run has 50".into()));
        let (window, said) = over(10, &[49, 80]);
        assert!(window == 1 && said.starts_with("Not smoothed: a running average over 10 rows"), "{said}");
        assert_eq!(over(usize::MAX, &[6]).0, 1);
    }
}
