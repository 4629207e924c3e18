//! How the runs of a page ended, and what they were made with.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};
use serde_json::Value;

use super::parts::{BREAK, Table, group_name, section};
use crate::{Run, number, page::contents::Page, plot::single_line, run::each_once, value};

/// Keys of an environment that differ from run to run and say nothing.
const PASSING: [&str; 3] = ["started", "schema", "resumed"];

/// How many runs ended in which way, and why.
pub(super) fn endings(page: &Page) -> Markup {
    let mut ends: Vec<((&str, String), Vec<&str>)> = Vec::new();
    for run in &page.runs {
        // Reasons that differ in their numbers alone are one.
        let end = (run.status.as_str(), without_numbers(run.reason.as_deref().unwrap_or("")));
        match ends.iter_mut().find(|(known, _)| *known == end) {
            Some((_, names)) => names.push(&run.name),
            None => ends.push((end, vec![&run.name])),
        }
    }
    let mut table = Table::new(["Ended", "Runs", "Reason", "Which"]);
    for ((status, reason), names) in ends {
        let few = if names.len() <= 4 { names.join(", ") } else { format!("{}, …", names[..3].join(", ")) };
        table.row(ending(status), [names.len().to_string(), reason, few]);
    }
    section("How the runs ended", &table.html("prose"))
}

/// A sentence with an ellipsis for every number.
fn without_numbers(sentence: &str) -> String {
    let short = |word: &str| {
        let bare = word.trim_end_matches([',', ';', '.', ':']);
        let is_number = bare.starts_with(|c: char| c.is_ascii_digit()) && bare.parse::<f64>().is_ok();
        if is_number { format!("…{}", &word[bare.len()..]) } else { word.to_string() }
    };
    sentence.split(' ').map(short).collect::<Vec<_>>().join(" ")
}

/// A status, with a sign if it needs attention.
fn ending(status: &str) -> Markup {
    match status {
        "diverged" | "failed" => html! { b.bad { "✗ " (status) } },
        "finished" => html! { "finished" },
        other => html! { b { (other) } },
    }
}

/// The keys that are the same in all runs, and a table of the others.
pub(super) fn configurations(page: &Page) -> Markup {
    let flat: Vec<BTreeMap<String, String>> = page.runs.iter().map(Run::flat_config).collect();
    let Some(first) = flat.first() else { return html! {} };
    let keys: BTreeSet<&String> = flat.iter().flat_map(|config| config.keys()).collect();
    let (common, differing): (Vec<&String>, Vec<&String>) =
        keys.into_iter().partition(|key| flat.iter().all(|config| config.get(*key) == first.get(*key)));
    let lines: String =
        common.iter().map(|key| format!("{} = {}\n", single_line(key), single_line(&first[*key]))).collect();
    let columns: Vec<&String> = differing.into_iter().filter(|key| *key != "run.name").collect();
    let heads = columns.iter().map(|key| html! { code { (key) } });
    let mut table = Table::new(std::iter::once(html! { "Group" }).chain(heads));
    for group in page.groups() {
        let configs: Vec<_> = group.runs.iter().map(|run| run.flat_config()).collect();
        let cell = |key: &&String| {
            let found = each_once(configs.iter().filter_map(|config| config.get(*key)).map(String::as_str));
            if found.is_empty() { "–".into() } else { found.join(", ") }
        };
        table.row(group_name(group.index, &group.name), columns.iter().map(cell));
    }
    section(
        "Configurations",
        &html! {
            @if !common.is_empty() {
                details { summary { (common.len()) " keys are the same in all runs" } pre { (lines) } }
            }
            @if !columns.is_empty() { (table.html("prose")) }
        },
    )
}

/// Versions, devices and data.
pub(super) fn environments(page: &Page) -> Markup {
    let mut found: BTreeMap<String, Vec<(String, usize)>> = BTreeMap::new();
    for run in &page.runs {
        for (key, value) in run.environment.keys().iter().filter(|(key, _)| !PASSING.contains(&key.as_str())) {
            for (key, value) in lines(key, value) {
                let values = found.entry(key).or_default();
                match values.iter_mut().find(|(known, _)| *known == value) {
                    Some((_, n)) => *n += 1,
                    None => values.push((value, 1)),
                }
            }
        }
    }
    let mut table = Table::new(["Of", "Is"]);
    let mut order: Vec<(String, Vec<(String, usize)>)> = found.into_iter().collect();
    let first = ["version", "git revision", "device", "driver", "backend", "precision", "deterministic"];
    order.sort_by_key(|(key, _)| first.iter().position(|known| known == key).unwrap_or(first.len()));
    for (key, values) in order {
        let cell = html! {
            @for (i, (value, n)) in values.iter().enumerate() {
                @if i > 0 { (BREAK) }
                (value)
                @if values.len() > 1 { " " small { "(" (n) " runs)" } }
            }
        };
        table.row(key, [cell]);
    }
    section("Environment", &html! { @if !page.runs.is_empty() { (table.html("prose")) } })
}

/// An entry of an environment as lines of text; datasets are one a file. What is empty is left out.
fn lines(key: &str, value: &Value) -> Vec<(String, String)> {
    let one = |v: &Value| v.as_str().map_or_else(|| v.to_string(), String::from);
    match value {
        Value::Null => Vec::new(),
        Value::String(s) if s.is_empty() => Vec::new(),
        Value::Array(list) if key == "datasets" => {
            // The name of the file: where it lies is of this machine.
            let name = |file: String| file.rsplit(['/', '\\']).next().unwrap_or_default().to_string();
            list.iter().map(|d| (format!("sha256 of {}", name(one(&d["file"]))), one(&d["sha256"]))).collect()
        }
        Value::Array(list) => vec![(key.replace('_', " "), list.iter().map(one).collect::<Vec<_>>().join(", "))],
        other => vec![(key.replace('_', " "), one(other))],
    }
}

/// A row a run.
pub(super) fn runs(page: &Page) -> Markup {
    let mut table = Table::new(["Run", "Group", "Seed", "Ended", "Epochs", "Steps", "Folder"]);
    for group in page.groups() {
        for run in &group.runs {
            let rows = run.epochs.iter().chain(&run.measurements);
            let reached = |key: &str| {
                let last = rows.clone().filter_map(|row| value(row, key)).reduce(f64::max);
                last.map_or("0".into(), number)
            };
            let cells = [
                group_name(group.index, &group.name),
                html! { (run.seed) },
                ending(&run.status),
                html! { (reached("epoch")) },
                html! { (reached("step")) },
                html! { code { (run.folder.display()) } },
            ];
            table.row(&run.name, cells);
        }
    }
    section("Runs", &table.html("prose"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_told_without_their_numbers() {
        let told = without_numbers("training loss 9.762e-4 reached stop_loss, step 40; not h2o");
        assert_eq!(told, "training loss … reached stop_loss, step …; not h2o");
    }
}
