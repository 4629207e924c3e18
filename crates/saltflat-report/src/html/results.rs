//! Last values of the groups, and their differences from the baseline.

use std::collections::{BTreeMap, BTreeSet};

use super::{name, section as section_of, table::Table, text};
use crate::{
    Difference, GroupSummary, Known, MeasuredLoss, Page,
    metric::{headline_rank, words},
    number::{interval, p_value},
    statistics::Mean,
    with_error,
};

/// Fewer seeds than this say little, however small their error.
const FEW: usize = 3;
/// From so many tests on, some are expected to be below 0.05 by chance.
const MANY: usize = 10;

/// The section.
pub(super) fn section(page: &Page, summary: &[GroupSummary]) -> String {
    let (mut main, mut more): (Vec<String>, Vec<String>) =
        page.metrics().into_iter().partition(|name| headline_rank(name).is_some());
    if main.is_empty() {
        // A small world has names of its own.
        std::mem::swap(&mut main, &mut more);
    }
    if main.is_empty() && more.is_empty() {
        return section_of("Results", "<p>No run has measured anything yet.</p>\n");
    }
    let folded = |table: String| match more.is_empty() || table.is_empty() {
        true => String::new(),
        false => format!("<details>\n<summary>{} more metrics</summary>\n{table}</details>\n", more.len()),
    };
    let finals = |names: &[String]| values(summary, names, &Finals);
    let mut inner = [note_on_means(summary), measured_losses(summary), finals(&main), folded(finals(&more))].concat();
    if let Some(baseline) = &page.baseline {
        let differences = |names: &[String]| values(summary, names, &Differences);
        let (table, rest) = (differences(&main), differences(&more));
        inner.push_str(&format!("<h3>Differences from {}</h3>\n", text(baseline)));
        inner.push_str(&match table.is_empty() && rest.is_empty() {
            true => "<p>No run has a partner of the same seed in the baseline.</p>\n".into(),
            false => format!("{}{table}{}", note_on_differences(summary), folded(rest)),
        });
    }
    section_of("Results", &inner)
}

fn soft(sentences: &str) -> String {
    format!("<p class=\"soft\">{sentences}</p>\n")
}

fn note_on_means(summary: &[GroupSummary]) -> String {
    let known = summary.iter().flat_map(|group| group.finals.values()).filter_map(Known::value);
    let (mut several, mut equal) = (false, false);
    for mean in known {
        several |= mean.n > 1;
        equal |= mean.all_equal();
    }
    let mut sentences = String::from("Last values that were measured. ");
    sentences.push_str(match several {
        true => {
            "Means over n seeds ± their standard errors; the 95 % interval of a mean is wider, by the factor 12.7 at n = 2, 4.3 at \
             n = 3 and 2.8 at n = 5. One seed has no error. "
        }
        false => "One seed each, so there are no errors. ",
    });
    if equal {
        sentences.push_str("If all seeds give one value, it says so, and there is no error to estimate. ");
    }
    sentences.push_str("Runs that diverged or failed are left out.");
    soft(&sentences)
}

/// One sentence if all groups were measured on one loss, else a list.
fn measured_losses(summary: &[GroupSummary]) -> String {
    let measured = || summary.iter().enumerate().filter(|(_, group)| !group.measured_loss_in_words.is_empty());
    let losses: BTreeSet<&str> = measured().map(|(_, group)| group.measured_loss_in_words.as_str()).collect();
    let of_lab = |group: &GroupSummary| matches!(group.measured_loss, Some(MeasuredLoss::OfLab { .. }));
    match losses.iter().collect::<Vec<_>>().as_slice() {
        [] => String::new(),
        // A lab has no other.
        [_] if summary.iter().any(of_lab) => String::new(),
        [one] => soft(&format!("Measured loss of all groups: {}.", text(one))),
        _ => {
            let mut table = Table::new(["Group", "Measured loss"].map(String::from));
            for (index, group) in measured() {
                table.row(name(index, &group.group), [text(&group.measured_loss_in_words)]);
            }
            let note = "The groups were not measured on one loss: losses, gradients, curvatures and bounds of groups on different \
                        losses cannot be compared, so no difference of them is given; one of accuracies or norms of weights is. \
                        measure.loss in a study, or metrics.loss in every configuration, measures all on one loss.";
            format!("{}{}", soft(note), table.prose())
        }
    }
}

fn note_on_differences(summary: &[GroupSummary]) -> String {
    let known = summary.iter().flat_map(|group| group.differences.values()).filter_map(Known::value);
    let (mut tests, mut few) = (0, false);
    for difference in known {
        tests += usize::from(difference.p.is_some());
        few |= difference.n < FEW;
    }
    let mut sentences = String::from("Group less baseline, paired by seed: mean over n pairs");
    sentences.push_str(match tests {
        0 => ". ",
        _ => {
            " ± standard error, the 95 % interval by Student's t with n − 1 degrees of freedom, and the two-sided p of a paired t \
             test. "
        }
    });
    if few {
        sentences.push_str(
            "<b>Fewer than three seeds are weak evidence</b>: with two, a difference of 6.8 standard errors has p = 0.09, and one \
             seed alone tells nothing of its scatter. ",
        );
    }
    if tests >= MANY {
        sentences.push_str(&format!(
            "There are {tests} tests here: about one in twenty has p &lt; 0.05 if nothing differs, and the p values are not \
             corrected for that. "
        ));
    }
    soft(sentences.trim_end())
}

/// What a table shows of each group.
trait Shown {
    type Number: 'static;
    fn of(group: &GroupSummary) -> &BTreeMap<String, Known<Self::Number>>;
    fn n(number: &Self::Number) -> usize;
    /// HTML of a number.
    fn cell(number: &Self::Number) -> String;
    /// The column of n.
    fn count(group: &GroupSummary, usual: usize) -> String;
    /// Whether groups without a number have a row.
    const ALL: bool;
}

struct Finals;

impl Shown for Finals {
    type Number = Mean;
    const ALL: bool = true;

    fn of(group: &GroupSummary) -> &BTreeMap<String, Known<Mean>> {
        &group.finals
    }

    fn n(mean: &Mean) -> usize {
        mean.n
    }

    fn cell(mean: &Mean) -> String {
        let shown = text(&with_error(mean.mean, mean.std_error));
        if mean.all_equal() { format!("{shown} {}", all_equal(mean.n)) } else { shown }
    }

    fn count(group: &GroupSummary, _usual: usize) -> String {
        let is_lost = |status: &str| matches!(status, "diverged" | "failed");
        let counted: usize = group.statuses.iter().filter(|(s, _)| !is_lost(s)).map(|(_, n)| n).sum();
        if counted == group.runs { counted.to_string() } else { format!("{counted} of {}", group.runs) }
    }
}

struct Differences;

impl Shown for Differences {
    type Number = Difference;
    const ALL: bool = false;

    fn of(group: &GroupSummary) -> &BTreeMap<String, Known<Difference>> {
        &group.differences
    }

    fn n(difference: &Difference) -> usize {
        difference.n
    }

    fn cell(difference: &Difference) -> String {
        let shown = text(&signed(difference));
        match (difference.interval_95, difference.p) {
            (Some(ends), Some(p)) => {
                let details = text(&format!("{}, {}", interval(ends), p_value(p)));
                format!("{shown}<br/><small>{details}</small>")
            }
            _ if difference.all_equal() => format!("{shown} {}", all_equal(difference.n)),
            _ => shown,
        }
    }

    fn count(_group: &GroupSummary, usual: usize) -> String {
        match usual {
            1 | 2 => format!("{usual} <small>weak</small>"),
            n => n.to_string(),
        }
    }
}

fn all_equal(n: usize) -> String {
    format!("<small>{n} equal</small>")
}

fn signed(difference: &Difference) -> String {
    let text = with_error(difference.mean, difference.std_error);
    if difference.mean > 0.0 && !text.starts_with('(') { format!("+{text}") } else { text.replace('-', "−") }
}

fn head(metric: &str) -> String {
    match words(metric) {
        same if same == metric => format!("<code>{}</code>", text(metric)),
        words => format!("{words}<br/><code>{}</code>", text(metric)),
    }
}

/// A row a group, a column a metric; under it the reasons for numbers that are absent. Empty if no group has an entry.
fn values<S: Shown>(summary: &[GroupSummary], names: &[String], _shown: &S) -> String {
    let names: Vec<&String> =
        names.iter().filter(|name| summary.iter().any(|group| S::of(group).contains_key(*name))).collect();
    if names.is_empty() {
        return String::new();
    }
    let heads = ["Group".to_string(), "n".to_string()].into_iter().chain(names.iter().map(|name| head(name)));
    let mut table = Table::new(heads);
    let mut reasons: Vec<&str> = Vec::new();
    for (index, group) in summary.iter().enumerate().filter(|(_, group)| S::ALL || !S::of(group).is_empty()) {
        let known = S::of(group).values().filter_map(Known::value);
        let usual = known.map(S::n).max().unwrap_or(0);
        let mut cells = vec![S::count(group, usual)];
        for name in &names {
            cells.push(match S::of(group).get(*name) {
                None => "–".into(),
                Some(Known::Absent { reason, .. }) => {
                    let number = reasons.iter().position(|known| known == reason).unwrap_or_else(|| {
                        reasons.push(reason);
                        reasons.len() - 1
                    });
                    format!("– <small>[{}]</small>", number + 1)
                }
                Some(Known::Value(number)) if S::n(number) < usual => {
                    format!("{} <small>n = {}</small>", S::cell(number), S::n(number))
                }
                Some(Known::Value(number)) => S::cell(number),
            });
        }
        table.row(name(index, &group.group), cells);
    }
    let footnotes: String = reasons
        .iter()
        .enumerate()
        .map(|(i, reason)| soft(&format!("[{}] Not given: {}.", i + 1, text(reason))))
        .collect();
    table.numbers() + &footnotes
}
