//! Names and values that try to be more than text: in every place of a run folder and of a page, in HTML and in SVG.

#![allow(clippy::unwrap_used)]

mod support;

use std::{collections::BTreeSet, fs, path::Path};

use roxmltree::{Document, Node, ParsingOptions};
use saltflat_report::{
    Bound, Correlation, Curves, FinalValues, Finding, Page, Run, Source, csv, html, json, label_by_differences,
    parse_figures,
};
use serde_json::{Value, json};
use support::{FIGURES, write_run};

const HOSTILE: [&str; 9] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onload='alert(1)",
    "]]><b>alert(1)</b>",
    "--><!-- alert(1)",
    "&amp;&#60;script&#62; & alert(1)",
    "<?xml alert(1)?><!DOCTYPE x [<!ENTITY y 'alert(1)'>]>&y;",
    "alert(1)\0\u{1b}[31mred\u{1b}]0;title\u{7}\u{9b}2J\u{fffe}",
    "</title></style></svg></pre></p>alert(1)",
];

/// A page with this text wherever a name or a file can bring one in.
fn page(root: &Path, text: &str) -> Page {
    let mut runs: Vec<Run> = (0..4).map(|i| run(&root.join(format!("run {i}")), text, i)).collect();
    // What a folder may be called, and what a study says of its runs.
    runs[1].name = text.into();
    runs[1].folder = text.into();
    label_by_differences(&mut runs);
    for (i, run) in runs.iter_mut().enumerate().skip(2) {
        run.stage = Some(format!("stage {text}"));
        run.labels = [(text.to_string(), format!("{i} {text}"))].into();
    }
    let mut figures = parse_figures(FIGURES).unwrap();
    figures.extend([Curves::new(text).into(), FinalValues::new(text).into()]);
    figures.extend([Correlation::new(text, "trace_hessian").into(), Bound::new("trace_hessian", &[text]).into()]);
    figures.push(Curves::new(&format!("not there {text}")).into());
    let quoted = toml::Value::String(text.into());
    let tables = format!(
        "[[figure]]\nkind = \"curves\"\ny = \"trace_hessian\"\ntitle = {quoted}\ncaption = {quoted}\n[[figure]]\nkind = \"final\"\n\
         y = \"trace_hessian\"\nx = {quoted}\n[[figure]]\nkind = \"phase\"\nx = {quoted}\ny = \"run.seed\"\nvalue = \"trace_hessian\"\n"
    );
    figures.extend(parse_figures(&tables).unwrap());
    let findings = vec![Finding { claim: text.into(), found: text.into(), holds: None }];
    let baseline = Some(runs[2].group());
    let source = Some(Source { study: text.into(), scale: Some(text.into()), sha256: text.into() });
    let notes = vec![text.to_string()];
    Page { title: text.into(), text: format!("{text}\n\n{text}"), runs, baseline, figures, findings, notes, source }
}

/// A run folder whose keys and values are all this text, beside what the figures need.
fn run(folder: &Path, text: &str, seed: u64) -> Run {
    write_run(folder, 0.1 * seed as f64, seed, "finished");
    let edit = |name: &str, change: &dyn Fn(&mut Value)| {
        let mut value: Value = serde_json::from_slice(&fs::read(folder.join(name)).unwrap()).unwrap();
        change(&mut value);
        fs::write(folder.join(name), value.to_string()).unwrap();
    };
    edit("env.json", &|env| {
        env[text] = json!(text);
        env["device"] = json!([text, { text: text }]);
        env["datasets"] = json!([{ "file": text, "sha256": text }]);
    });
    edit("status.json", &|status| {
        status["reason"] = json!(text);
        status["status"] = json!(if seed == 3 { text } else { "finished" });
    });
    let mut config: toml::Table = toml::from_str(&fs::read_to_string(folder.join("config.toml")).unwrap()).unwrap();
    config["run"]["name"] = text.into();
    config["noise"]["kind"] = format!("{text}{seed}").into();
    config.insert(text.into(), toml::Table::from_iter([(text.to_string(), text.into())]).into());
    fs::write(folder.join("config.toml"), toml::to_string(&config).unwrap()).unwrap();
    let mut rows = String::new();
    for line in fs::read_to_string(folder.join("metrics.jsonl")).unwrap().lines() {
        let Ok(mut row) = serde_json::from_str::<Value>(line) else { continue };
        row[text] = json!(text);
        if row.get("metrics").is_some() {
            row["metrics"][text] = json!({ "value": seed, "std_error": 0.5, "reason": text, text: text });
            row["metrics"]["mu"] = json!({ "value": null, "reason": text });
        }
        rows.push_str(&format!("{row}\n"));
    }
    fs::write(folder.join("metrics.jsonl"), rows).unwrap();
    Run::read(folder).unwrap()
}

/// Names of the elements, and of the attributes, of a text that is XML without comments, instructions and control characters.
fn names(text: &str) -> BTreeSet<String> {
    let forbidden = |c: char| c.is_control() && c != '\n' || matches!(c, '\u{fffe}' | '\u{ffff}');
    assert!(!text.contains(forbidden), "a control character");
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options).unwrap_or_else(|e| panic!("{e}: {text}"));
    assert!(!document.descendants().any(|node| node.is_comment() || node.is_pi()));
    let attributes = |node: Node<'_, '_>| node.attributes().map(|a| format!("@{}", a.name())).collect::<Vec<_>>();
    let elements = document.descendants().filter(Node::is_element);
    elements.flat_map(|node| [attributes(node), vec![node.tag_name().name().to_string()]].concat()).collect()
}

/// The page, and every figure by itself.
fn texts(page: &Page) -> Vec<String> {
    let drawings = page.figures.iter().filter_map(|figure| figure.draw(page).ok()).flatten();
    std::iter::once(html(page)).chain(drawings.map(|drawing| drawing.svg)).collect()
}

#[test]
fn nothing_of_the_data_is_markup() {
    let folder = tempfile::tempdir().unwrap();
    let tame = texts(&page(&folder.path().join("tame"), "alert(1)"));
    let known: Vec<BTreeSet<String>> = tame.iter().map(|text| names(text)).collect();
    assert!(known.len() > 15 && known[0].contains("svg") && known[0].contains("@aria-label"));
    for (i, text) in HOSTILE.into_iter().enumerate() {
        let page = page(&folder.path().join(i.to_string()), text);
        let made = texts(&page);
        // As many figures as for a tame text: what is drawn does not depend on what a name is made of.
        assert_eq!(made.len(), tame.len(), "{text:?}");
        for (made, known) in made.iter().zip(&known) {
            let foreign: Vec<String> = names(made).difference(known).cloned().collect();
            assert!(foreign.is_empty(), "{text:?} became {foreign:?}");
        }
        // And it is there, as text.
        assert!(made[0].matches("alert(1)").count() > 30, "{text:?}");
        assert_eq!(serde_json::from_str::<Value>(&json(&page).to_string()).unwrap()["title"], text);
        assert!(csv(&page).starts_with("run,stage,"));
    }
}
