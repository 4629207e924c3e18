//! Colours of a page, and of its figures when it is dark.
//!
//! Figures are drawn for white paper, with their colours as attributes of the shapes. A rule of the page is stronger than
//! an attribute, so the dark page names each colour of the style and gives another; the figures need not know.

use plotters::style::RGBColor;

use crate::plot::{FINE_GRID, GRID, INK, PALETTE, SOFT, WHITE};

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

/// The style sheet.
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
