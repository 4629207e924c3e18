//! Last values of the groups, and their differences from the baseline.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};

use super::parts::{BREAK, Table, group_name, section as section_of};
use crate::metric::{headline_rank, words};
use crate::page::contents::Page;
use crate::plot::{interval, p_value};
use crate::statistics::{Difference, Mean};
use crate::{GroupSummary, MeasuredLoss, ValueOrReason, with_error};

/// Fewer seeds than this say little, however small their error.
const FEW: usize = 3;
/// From so many tests on, some are expected to be below 0.05 by chance.
const MANY: usize = 10;

pub(super) fn section(page: &Page, summary: &[GroupSummary]) -> Markup {
    let (mut main, mut more): (Vec<String>, Vec<String>) =
        page.metrics().into_iter().partition(|name| headline_rank(name).is_some());
    if main.is_empty() {
        // A lab has names of its own.
        std::mem::swap(&mut main, &mut more);
    }
    if main.is_empty() {
        return section_of("Results", &html! { p { "No run has measured anything yet." } });
    }
    let folded = |table: &Markup| {
        html! { @if !table.0.is_empty() { details { summary { (more.len()) " more metrics" } (table) } } }
    };
    let differences = page.baseline.as_ref().map(|baseline| {
        let [table, rest] = [&main, &more].map(|names| values(summary, names, &DIFFERENCES));
        html! {
            h3 { "Differences from " (baseline) }
            @if table.0.is_empty() && rest.0.is_empty() {
                p { "No run has a partner of the same seed in the baseline." }
            } @else {
                (note_on_differences(summary)) (table) (folded(&rest))
            }
        }
    });
    let [table, rest] = [&main, &more].map(|names| values(summary, names, &FINALS));
    section_of(
        "Results",
        &html! {
            (note_on_means(summary)) (measured_losses(summary)) (table) (folded(&rest))
            @if let Some(differences) = differences { (differences) }
        },
    )
}

fn note_on_means(summary: &[GroupSummary]) -> Markup {
    let known = || summary.iter().flat_map(|group| group.finals.values()).filter_map(ValueOrReason::value);
    html! {
        p.soft {
            "Last values that were measured. "
            @if known().any(|mean| mean.n > 1) {
                "Means over n seeds ± their standard errors; the 95 % interval of a mean is wider, by the factor 12.7 at n = 2, 4.3 \
                 at n = 3 and 2.8 at n = 5. One seed has no error. "
            } @else {
                "One seed each, so there are no errors. "
            }
            @if known().any(Mean::all_equal) {
                "If all seeds give one value, it says so, and there is no error to estimate. "
            }
            "Runs that diverged or failed are left out."
        }
        "\n"
    }
}

/// One sentence if all groups were measured on one loss, else a list.
fn measured_losses(summary: &[GroupSummary]) -> Markup {
    let measured = || summary.iter().enumerate().filter(|(_, group)| !group.measured_loss_in_words.is_empty());
    let losses: BTreeSet<&str> = measured().map(|(_, group)| group.measured_loss_in_words.as_str()).collect();
    let of_lab = |group: &GroupSummary| matches!(group.measured_loss, Some(MeasuredLoss::OfLab { .. }));
    match losses.iter().collect::<Vec<_>>().as_slice() {
        [] => html! {},
        // A lab has no other.
        [_] if summary.iter().any(of_lab) => html! {},
        [one] => html! { p.soft { "Measured loss of all groups: " (one) "." } "\n" },
        _ => {
            let mut table = Table::new(["Group", "Measured loss"]);
            for (index, group) in measured() {
                table.row(group_name(index, &group.group), [&group.measured_loss_in_words]);
            }
            html! {
                p.soft {
                    "The groups were not measured on one loss: losses, gradients, curvatures and bounds of groups on different \
                     losses cannot be compared, so no difference of them is given; one of accuracies or norms of weights is. \
                     measure.loss in a study, or metrics.loss in every configuration, measures all on one loss."
                }
                (table.html("prose"))
            }
        }
    }
}

fn note_on_differences(summary: &[GroupSummary]) -> Markup {
    let known = || summary.iter().flat_map(|group| group.differences.values()).filter_map(ValueOrReason::value);
    let tests = known().filter(|difference| difference.p.is_some()).count();
    html! {
        p.soft {
            "Group less baseline, paired by seed: mean over n pairs"
            @if tests > 0 {
                " ± standard error, the 95 % interval by Student's t with n − 1 degrees of freedom, and the two-sided p of a paired \
                 t test"
            }
            "."
            @if known().any(|difference| difference.n < FEW) {
                " " b { "Fewer than three seeds are weak evidence" }
                ": with two, a difference of 6.8 standard errors has p = 0.09, and one seed alone tells nothing of its scatter."
            }
            @if tests >= MANY {
                " There are " (tests) " tests here: about one in twenty has p < 0.05 if nothing differs, and the p values are not \
                 corrected for that."
            }
        }
        "\n"
    }
}

/// What a table shows of each group.
struct Shown<T: 'static> {
    of: fn(&GroupSummary) -> &BTreeMap<String, ValueOrReason<T>>,
    n: fn(&T) -> usize,
    cell: fn(&T) -> Markup,
    /// The column of n, given the usual n of a row.
    count: fn(&GroupSummary, usize) -> Markup,
    /// Whether groups without a number have a row.
    all: bool,
}

const FINALS: Shown<Mean> = Shown {
    of: |group| &group.finals,
    n: |mean| mean.n,
    cell: |mean| html! { (with_error(mean.mean, mean.std_error)) @if mean.all_equal() { (equal(mean.n)) } },
    count: |group, _| {
        let is_lost = |status: &str| matches!(status, "diverged" | "failed");
        let counted: usize = group.statuses.iter().filter(|(s, _)| !is_lost(s)).map(|(_, n)| n).sum();
        html! { (counted) @if counted != group.runs { " of " (group.runs) } }
    },
    all: true,
};

const DIFFERENCES: Shown<Difference> = Shown {
    of: |group| &group.differences,
    n: |difference| difference.n,
    cell: |difference| {
        html! {
            (signed(difference))
            @if let (Some(ends), Some(p)) = (difference.interval_95, difference.p) {
                (BREAK) small { (interval(ends)) ", " (p_value(p)) }
            } @else if difference.all_equal() {
                (equal(difference.n))
            }
        }
    },
    count: |_, usual| html! { (usual) @if (1..FEW).contains(&usual) { " " small { "weak" } } },
    all: false,
};

fn equal(n: usize) -> Markup {
    html! { " " small { (n) " equal" } }
}

fn signed(difference: &Difference) -> String {
    let text = with_error(difference.mean, difference.std_error);
    if difference.mean > 0.0 && !text.starts_with('(') { format!("+{text}") } else { text.replace('-', "−") }
}

fn head(metric: &str) -> Markup {
    let words = words(metric);
    html! { @if words != metric { (words) (BREAK) } code { (metric) } }
}

/// A row a group, a column a metric; under it the reasons for numbers that are absent. Empty if no group has an entry.
fn values<T>(summary: &[GroupSummary], names: &[String], shown: &Shown<T>) -> Markup {
    let names: Vec<&String> =
        names.iter().filter(|name| summary.iter().any(|group| (shown.of)(group).contains_key(*name))).collect();
    if names.is_empty() {
        return html! {};
    }
    let heads = [html! { "Group" }, html! { "n" }].into_iter().chain(names.iter().map(|name| head(name)));
    let mut table = Table::new(heads);
    let mut reasons: Vec<&str> = Vec::new();
    for (index, group) in summary.iter().enumerate().filter(|(_, group)| shown.all || !(shown.of)(group).is_empty()) {
        let known = (shown.of)(group).values().filter_map(ValueOrReason::value);
        let usual = known.map(shown.n).max().unwrap_or(0);
        let mut cells = vec![(shown.count)(group, usual)];
        for name in &names {
            cells.push(match (shown.of)(group).get(*name) {
                None => html! { "–" },
                Some(ValueOrReason::Absent { reason, .. }) => {
                    let at = reasons.iter().position(|known| known == reason).unwrap_or(reasons.len());
                    if at == reasons.len() {
                        reasons.push(reason);
                    }
                    html! { "– " small { "[" (at + 1) "]" } }
                }
                Some(ValueOrReason::Value(number)) => {
                    let n = (shown.n)(number);
                    html! { ((shown.cell)(number)) @if n < usual { " " small { "n = " (n) } } }
                }
            });
        }
        table.row(group_name(index, &group.group), cells);
    }
    html! {
        (table.html("numbers"))
        @for (i, reason) in reasons.iter().enumerate() { p.soft { "[" (i + 1) "] Not given: " (reason) "." } "\n" }
    }
}
