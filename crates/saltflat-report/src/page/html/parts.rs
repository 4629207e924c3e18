//! What all parts of a page share: sections, tables, names of groups, and the colours of the page and of its figures when it is dark.
//!
//! Figures are drawn for white paper, with their colours as attributes of the shapes. A rule of the page is stronger than
//! an attribute, so the dark page names each colour of the style and gives another; the figures need not know.

use maud::{Markup, PreEscaped, Render, html};
use plotters::style::RGBColor;

use crate::plot::{FINE_GRID, GRID, INK, PALETTE, SOFT, WHITE, group_style};

/// Characters that stand for the markers of groups in text.
const MARKERS: [&str; 6] = ["●", "■", "▲", "◆", "▼", "✚"];

/// The end of a line. Written by hand: the page is also XML, in which an empty element ends with a slash.
pub(super) const BREAK: PreEscaped<&str> = PreEscaped("<br/>");

/// A section with a heading; nothing if it is empty.
pub(super) fn section(heading: &str, inner: &Markup) -> Markup {
    html! { @if !inner.0.is_empty() { section { h2 { (heading) } (inner) } "\n" } }
}

/// A group's name after its marker, in its colour.
pub(super) fn group_name(index: usize, group: &str) -> Markup {
    let (_, shape) = group_style(index);
    html! { span class={ "g" (index % 6) } { (MARKERS[shape]) } " " (group) }
}

/// Rows that scroll inside their own box.
pub(super) struct Table {
    heads: Vec<Markup>,
    rows: Vec<(Markup, Vec<Markup>)>,
}

impl Table {
    pub fn new(heads: impl IntoIterator<Item: Render>) -> Self {
        Self { heads: heads.into_iter().map(|head| head.render()).collect(), rows: Vec::new() }
    }

    /// A row: its head and its cells.
    pub fn row(&mut self, head: impl Render, cells: impl IntoIterator<Item: Render>) {
        self.rows.push((head.render(), cells.into_iter().map(|cell| cell.render()).collect()));
    }

    /// `class` is `prose` for cells of text, `numbers` for cells of numbers, set to the right.
    pub fn html(&self, class: &str) -> Markup {
        // Scrolling by keyboard needs a focus.
        html! {
            div.box tabindex="0" {
                table class=(class) {
                    thead { tr { @for head in &self.heads { th scope="col" { (head) } } } }
                    tbody {
                        @for (head, cells) in &self.rows {
                            "\n" tr { th scope="row" { (head) } @for cell in cells { td { (cell) } } }
                        }
                    }
                }
            }
            "\n"
        }
    }
}

const CSS: &str = include_str!("page.css");

/// What each colour of a figure becomes on a dark page.
const DARK: [(RGBColor, &str); 12] = [
    (WHITE, "#14171a"),
    (INK, "#e6e8ea"),
    (SOFT, "#a9b0b6"),
    (GRID, "#2e3439"),
    (FINE_GRID, "#1f2428"),
    (PALETTE[0], "#4ba6e8"),
    (PALETTE[1], "#f5843d"),
    (PALETTE[2], "#2cc295"),
    (PALETTE[3], "#e3a0c8"),
    (PALETTE[4], "#f0b73a"),
    (PALETTE[5], "#9bd6fa"),
    (PALETTE[6], "#b8bcc0"),
];

pub(super) fn css() -> String {
    let hex = |RGBColor(r, g, b): RGBColor| format!("#{r:02X}{g:02X}{b:02X}");
    let of_figures: String = DARK
        .iter()
        .map(|&(light, dark)| {
            let light = hex(light);
            format!("figure svg [fill=\"{light}\"] {{ fill: {dark}; }}\nfigure svg [stroke=\"{light}\"] {{ stroke: {dark}; }}\n")
        })
        .collect();
    let of_groups = |color: &dyn Fn(usize) -> String| -> String {
        (0..6).map(|i| format!(".g{i} {{ color: {}; }}\n", color(i))).collect()
    };
    let (light, dark) = (of_groups(&|i| hex(PALETTE[i])), of_groups(&|i| DARK[5 + i].1.into()));
    format!("{CSS}{light}@media (prefers-color-scheme: dark) {{\n{dark}{of_figures}}}\n")
}
