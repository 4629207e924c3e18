//! What captions say of runs, losses and averages.

use crate::ReportError;
use crate::measured_loss::{KnownLoss, in_words};
use crate::page::group::Group;

/// The error of a figure for which no run has data.
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
