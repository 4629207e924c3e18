//! What all parts of a page share: sections, tables, names of groups.

use maud::{Markup, PreEscaped, Render, html};

use crate::plot::group_style;

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

    /// With cells of text.
    pub fn prose(&self) -> Markup {
        self.html("prose")
    }

    /// With cells of numbers, set to the right.
    pub fn numbers(&self) -> Markup {
        self.html("numbers")
    }

    fn html(&self, class: &str) -> Markup {
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
