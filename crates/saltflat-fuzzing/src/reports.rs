//! Run folders as pages.

use std::collections::BTreeSet;

use roxmltree::{Document, Node};
use saltflat_report::{Page, Run, csv, html, json, label_by_differences, parse_figures};

use crate::scratch;

/// What a page is made of; what else stands in one came from the data.
const ELEMENTS: &str = "\
    b body br circle code desc details div figcaption figure g h1 h2 h3 head header html line main meta p path \
    polygon polyline pre rect section small span style summary svg table tbody td text th thead title tr";
/// The attributes.
const ATTRIBUTES: &str = "\
    aria-label charset class content cx cy d dy fill fill-rule font-family font-size font-style font-weight height \
    lang name opacity points r role scope stroke stroke-linecap stroke-linejoin stroke-opacity stroke-width \
    tabindex text-anchor transform viewBox width x x1 x2 xmlns y y1 y2 fill-opacity stroke-dasharray";

/// The four files of a run folder, one after the other, each behind a line with its name.
const FILES: [&str; 4] = ["config.toml", "env.json", "status.json", "metrics.jsonl"];

/// A run folder, and with it a second run that differs in its labels: as a page with every figure, as CSV and as JSON.
pub fn run(bytes: &[u8]) {
    if let Some(page) = page(&String::from_utf8_lossy(bytes)) {
        check(&page);
    }
}

/// `[[figure]]` tables, of a run and the four files of a folder behind a line `---`.
pub fn figures(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (tables, folder) = text.split_once("\n---\n").unwrap_or((&text, ""));
    let Ok(figures) = parse_figures(tables) else { return };
    let Some(mut page) = page(folder) else { return };
    page.figures = figures;
    check(&page);
}

fn page(text: &str) -> Option<Page> {
    let mut rest = text;
    for name in FILES.iter().rev() {
        let (before, content) = rest.rsplit_once(&format!("=== {name}\n")).unwrap_or((rest, ""));
        scratch::file(&format!("run-folder/{name}"), content.as_bytes());
        rest = before;
    }
    let mut runs = Run::read_all(&scratch::path("run-folder")).ok()?;
    let mut other = runs.first()?.clone();
    other.config.insert("other".into(), 1.into());
    runs.push(other);
    label_by_differences(&mut runs);
    let baseline = runs.first().map(Run::group);
    let mut page = Page { title: runs[0].name.clone(), runs, baseline, ..Page::default() };
    page.figures = page.default_figures();
    Some(page)
}

/// The page and its figures are XML of our own elements and attributes only, its tables can be read again.
fn check(page: &Page) {
    ours(&html(page));
    for drawing in page.figures.iter().filter_map(|figure| figure.draw(page).ok()).flatten() {
        ours(&drawing.svg);
    }
    let lines = csv(page);
    assert!(lines.starts_with("run,stage,"));
    assert!(json(page)["groups"].is_array());
}

/// Panics if a text is not XML, or holds an element or an attribute that the pages do not have.
pub fn ours(text: &str) {
    let text = text.strip_prefix("<!DOCTYPE html>\n").unwrap_or(text);
    let document = Document::parse(text).unwrap_or_else(|e| panic!("{e}: {text}"));
    let elements = || document.descendants().filter(Node::is_element);
    let foreign: BTreeSet<&str> = elements()
        .map(|node| node.tag_name().name())
        .filter(|n| ELEMENTS.split(' ').all(|known| known != *n))
        .collect();
    assert!(foreign.is_empty(), "{foreign:?}");
    let attributes = elements().flat_map(|node| node.attributes()).map(|attribute| attribute.name());
    let foreign: BTreeSet<&str> = attributes.filter(|n| ATTRIBUTES.split(' ').all(|known| known != *n)).collect();
    assert!(foreign.is_empty(), "{foreign:?}");
    assert!(!document.descendants().any(|node| node.is_comment() || node.is_pi()), "a comment or an instruction");
}
