//! A page as one HTML file.

mod results;
mod table;
mod theme;

use std::collections::BTreeMap;

use serde_json::Value;

use self::table::Table;
use crate::{
    Drawing, Page, Run,
    canvas::escaped,
    number,
    style::{of_group, one_line},
};

/// Characters that stand for the markers of groups in text.
const MARKERS: [&str; 6] = ["●", "■", "▲", "◆", "▼", "✚"];
/// Keys of an environment that differ from run to run and say nothing.
const PASSING: [&str; 3] = ["started", "schema", "resumed"];

/// The page as one file of HTML that is also well-formed XML: no script, no reference to anything outside, light or dark
/// as the reader's system is. Every figure has its numbers as alternative text. What cannot be drawn says why.
pub fn html(page: &Page) -> String {
    let title = text(&page.title);
    let body = [
        introduction(page),
        findings(page),
        results::section(page, &page.summary()),
        endings(page),
        figures(page),
        configurations(page),
        environments(page),
        runs(page),
    ]
    .concat();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"generator\" content=\"Saltflat {}\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <meta name=\"color-scheme\" content=\"light dark\"/>\n<title>{title}</title>\n<style>\n{}</style>\n</head>\n\
         <body>\n<main>\n{body}</main>\n</body>\n</html>\n",
        env!("CARGO_PKG_VERSION"),
        theme::css(),
    )
}

/// Text as HTML, on one line.
fn text(s: &str) -> String {
    escaped(&one_line(s))
}

fn section(heading: &str, inner: &str) -> String {
    if inner.is_empty() { String::new() } else { format!("<section>\n<h2>{heading}</h2>\n{inner}</section>\n") }
}

fn introduction(page: &Page) -> String {
    let paragraphs = page.text.split("\n\n").map(str::trim).filter(|p| !p.is_empty());
    let paragraphs: String = paragraphs.map(|p| format!("<p>{}</p>\n", text(p))).collect();
    let groups = page.groups().len();
    let plural = |n: usize, one: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") };
    let size = format!("{} in {}", plural(page.runs.len(), "run"), plural(groups, "group"));
    let notes: String = page.notes.iter().map(|note| format!("<p class=\"missing\">{}</p>\n", text(note))).collect();
    let source = page.source.as_ref().map_or(String::new(), |source| {
        let scale = source.scale.as_ref().map_or(String::new(), |scale| format!(" at the scale {scale}"));
        let made = format!("Made from the study {}{scale}, fingerprint {:.16}", source.study, source.sha256);
        format!("<p class=\"soft\">{}</p>\n", text(&made))
    });
    format!(
        "<header>\n<h1>{}</h1>\n<p class=\"soft\">{size}</p>\n{source}{notes}{paragraphs}</header>\n",
        text(&page.title)
    )
}

/// A group's name after its marker, in its colour.
fn name(index: usize, group: &str) -> String {
    let (_, shape) = of_group(index);
    format!("<span class=\"g{}\">{}</span> {}", index % 6, MARKERS[shape], text(group))
}

fn findings(page: &Page) -> String {
    if page.findings.is_empty() {
        return String::new();
    }
    let mut table = Table::new(["Claim", "Found", "Agrees"].map(String::from));
    for finding in &page.findings {
        let verdict = match finding.holds {
            Some(true) => "<b class=\"good\">✓ yes</b>",
            Some(false) => "<b class=\"bad\">✗ no</b>",
            None => "not decided",
        };
        table.row(text(&finding.claim), [text(&finding.found), verdict.into()]);
    }
    section("Findings", &table.prose())
}

fn endings(page: &Page) -> String {
    let mut ends: Vec<((&str, String), Vec<&str>)> = Vec::new();
    for run in &page.runs {
        // Reasons that differ in their numbers alone are one.
        let end = (run.status.as_str(), without_numbers(run.reason.as_deref().unwrap_or("")));
        match ends.iter_mut().find(|(known, _)| *known == end) {
            Some((_, names)) => names.push(&run.name),
            None => ends.push((end, vec![&run.name])),
        }
    }
    let mut table = Table::new(["Ended", "Runs", "Reason", "Which"].map(String::from));
    for ((status, reason), names) in ends {
        let few = if names.len() <= 4 { names.join(", ") } else { format!("{}, …", names[..3].join(", ")) };
        table.row(ending(status), [names.len().to_string(), text(&reason), text(&few)]);
    }
    section("How the runs ended", &table.prose())
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

/// A status, with a sign where it needs attention.
fn ending(status: &str) -> String {
    match status {
        "diverged" | "failed" => format!("<b class=\"bad\">✗ {status}</b>"),
        "finished" => "finished".into(),
        other => format!("<b>{}</b>", text(other)),
    }
}

fn figures(page: &Page) -> String {
    let mut inner = String::new();
    for figure in &page.figures {
        match figure.draw(page) {
            Ok(drawings) => inner.extend(drawings.iter().map(drawn)),
            Err(error) => inner.push_str(&format!("<p class=\"missing\">{}</p>\n", text(&error.to_string()))),
        }
    }
    if inner.is_empty() { inner } else { section("Figures", &format!("<div class=\"grid\">\n{inner}</div>\n")) }
}

fn drawn(drawing: &Drawing) -> String {
    let numbers = text(&drawing.numbers);
    let alternative = format!("<title>{}</title><desc>{numbers}</desc>", text(&drawing.title));
    // The opening tag is our own: its first `>` ends it, since labels are escaped.
    let svg = drawing.svg.replacen('>', &format!(">{alternative}"), 1);
    format!(
        "<figure>\n{svg}<figcaption>{}\n<details><summary>In numbers</summary>\n<p>{numbers}</p>\n</details>\n\
         </figcaption>\n</figure>\n",
        text(&drawing.caption)
    )
}

fn configurations(page: &Page) -> String {
    let flat: Vec<BTreeMap<String, String>> = page.runs.iter().map(Run::flat_config).collect();
    let Some(first) = flat.first() else { return String::new() };
    let keys: std::collections::BTreeSet<&String> = flat.iter().flat_map(|config| config.keys()).collect();
    let (common, differing): (Vec<&String>, Vec<&String>) =
        keys.into_iter().partition(|key| flat.iter().all(|config| config.get(*key) == first.get(*key)));
    let lines: String = common.iter().map(|key| format!("{} = {}\n", text(key), text(&first[*key]))).collect();
    let common = match common.is_empty() {
        true => String::new(),
        false => format!(
            "<details>\n<summary>{} keys are the same in all runs</summary>\n<pre>{lines}</pre>\n</details>\n",
            common.len()
        ),
    };
    let columns: Vec<&String> = differing.into_iter().filter(|key| *key != "run.name").collect();
    let heads = std::iter::once("Group".to_string()).chain(columns.iter().map(|k| format!("<code>{}</code>", text(k))));
    let mut table = Table::new(heads);
    for group in page.groups() {
        let configs: Vec<_> = group.runs.iter().map(|run| run.flat_config()).collect();
        let cell = |key: &&String| {
            let mut found: Vec<&str> = Vec::new();
            for value in configs.iter().filter_map(|config| config.get(*key)) {
                if !found.contains(&value.as_str()) {
                    found.push(value);
                }
            }
            if found.is_empty() { "–".into() } else { text(&found.join(", ")) }
        };
        table.row(name(group.index, &group.name), columns.iter().map(cell));
    }
    section("Configurations", &format!("{common}{}", if columns.is_empty() { String::new() } else { table.prose() }))
}

fn environments(page: &Page) -> String {
    let mut found: BTreeMap<String, Vec<(String, usize)>> = BTreeMap::new();
    for run in &page.runs {
        for (key, value) in run.environment.keys().iter().filter(|(key, _)| !PASSING.contains(&key.as_str())) {
            for (key, value) in plain(key, value) {
                let values = found.entry(key).or_default();
                match values.iter_mut().find(|(known, _)| *known == value) {
                    Some((_, n)) => *n += 1,
                    None => values.push((value, 1)),
                }
            }
        }
    }
    let mut table = Table::new(["Of", "Is"].map(String::from));
    let mut order: Vec<(String, Vec<(String, usize)>)> = found.into_iter().collect();
    let first = ["version", "git revision", "device", "driver", "backend", "precision", "deterministic"];
    order.sort_by_key(|(key, _)| first.iter().position(|known| known == key).unwrap_or(first.len()));
    for (key, values) in order {
        let one = |(value, n): &(String, usize)| match values.len() {
            1 => text(value),
            _ => format!("{} <small>({n} runs)</small>", text(value)),
        };
        table.row(text(&key), [values.iter().map(one).collect::<Vec<_>>().join("<br/>")]);
    }
    if page.runs.is_empty() { String::new() } else { section("Environment", &table.prose()) }
}

/// An entry of an environment as lines of text; datasets are one a file. What is empty is left out.
fn plain(key: &str, value: &Value) -> Vec<(String, String)> {
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

fn runs(page: &Page) -> String {
    let mut table = Table::new(["Run", "Group", "Seed", "Ended", "Epochs", "Steps", "Folder"].map(String::from));
    for group in page.groups() {
        for run in &group.runs {
            let rows = run.epochs.iter().chain(&run.measurements);
            let reached = |key: &str| {
                let last = rows.clone().filter_map(|row| crate::value(row, key)).reduce(f64::max);
                last.map_or("0".into(), number)
            };
            let (epochs, steps) = (reached("epoch"), reached("step"));
            let folder = format!("<code>{}</code>", text(&run.folder.display().to_string()));
            let cells =
                [name(group.index, &group.name), run.seed.to_string(), ending(&run.status), epochs, steps, folder];
            table.row(text(&run.name), cells);
        }
    }
    section("Runs", &table.prose())
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
