//! A page as one HTML file.

mod parts;
mod results;
mod runs;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use self::parts::{Table, css, section};
use super::contents::{Drawing, Page};
use crate::plot::xml_char;

/// Written by hand: the page is also XML, in which an empty element ends with a slash.
const META: &str = concat!(
    "<meta charset=\"utf-8\"/>\n<meta name=\"generator\" content=\"Saltflat ",
    env!("CARGO_PKG_VERSION"),
    "\"/>\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n",
    "<meta name=\"color-scheme\" content=\"light dark\"/>\n"
);

/// The page as one file of HTML that is also well-formed XML: no script, no reference to anything outside, light or dark
/// as the reader's system is. Every figure has its numbers as alternative text. What cannot be drawn says why.
pub fn html(page: &Page) -> String {
    let document = html! {
        (DOCTYPE) "\n"
        html lang="en" xmlns="http://www.w3.org/1999/xhtml" {
            head { "\n" (PreEscaped(META)) title { (page.title) } style { (PreEscaped(css())) } }
            body {
                main {
                    (introduction(page))
                    (findings(page))
                    (results::section(page, &page.summary()))
                    (runs::endings(page))
                    (figures(page))
                    (runs::configurations(page))
                    (runs::environments(page))
                    (runs::runs(page))
                }
            }
        }
        "\n"
    };
    document.into_string().chars().map(|c| if c == '\n' { c } else { xml_char(c) }).collect()
}

fn introduction(page: &Page) -> Markup {
    let plural = |n: usize, one: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") };
    let source = page.source.as_ref().map(|source| {
        let scale = source.scale.as_ref().map_or(String::new(), |scale| format!(" at the scale {scale}"));
        format!("Made from the study {}{scale}, fingerprint {:.16}", source.study, source.sha256)
    });
    html! {
        header {
            h1 { (page.title) }
            p.soft { (plural(page.runs.len(), "run")) " in " (plural(page.groups().len(), "group")) }
            @if let Some(source) = source { p.soft { (source) } }
            @for note in &page.notes { p.missing { (note) } "\n" }
            @for paragraph in page.text.split("\n\n").map(str::trim).filter(|p| !p.is_empty()) { p { (paragraph) } "\n" }
        }
    }
}

fn findings(page: &Page) -> Markup {
    let mut table = Table::new(["Claim", "Found", "Agrees"]);
    for finding in &page.findings {
        let verdict = match finding.holds {
            Some(true) => html! { b.good { "✓ yes" } },
            Some(false) => html! { b.bad { "✗ no" } },
            None => html! { "not decided" },
        };
        table.row(&finding.claim, [html! { (finding.found) }, verdict]);
    }
    section("Findings", &html! { @if !page.findings.is_empty() { (table.html("prose")) } })
}

fn figures(page: &Page) -> Markup {
    let drawn = page.figures.iter().map(|figure| figure.draw(page));
    section(
        "Figures",
        &html! {
            @if !page.figures.is_empty() {
                div.grid {
                    @for result in drawn {
                        @match result {
                            Ok(drawings) => { @for drawing in &drawings { (figure(drawing)) "\n" } }
                            Err(error) => { p.missing { (error.to_string()) } "\n" }
                        }
                    }
                }
            }
        },
    )
}

fn figure(drawing: &Drawing) -> Markup {
    let alternative = html! { title { (drawing.title) } desc { (drawing.numbers) } };
    // The first `>` ends the opening tag, since labels are escaped.
    let svg = drawing.svg.replacen('>', &format!(">{}", alternative.0), 1);
    html! {
        figure {
            (PreEscaped(svg))
            figcaption { (drawing.caption) "\n" details { summary { "In numbers" } p { (drawing.numbers) } } }
        }
    }
}
