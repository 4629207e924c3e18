//! Title, subtitle and legend above the panels.

use plotters::style::{RGBColor, text_anchor::HPos};

use super::canvas::{Canvas, TextFormat};
use super::series::Look;
use super::style::{INK, LABEL, MARGIN, SOFT, TITLE, WIDTH};
use super::text::{single_line, text_width, truncate_to_width};

/// Most rows of a legend; what does not fit is counted.
const LEGEND_ROWS: usize = 4;

/// One entry of a legend.
pub(crate) struct Entry {
    pub label: String,
    pub color: RGBColor,
    pub look: Look,
    pub shape: Option<usize>,
}

/// Draws title, subtitle and legend; returns the height they take.
pub(crate) fn header(canvas: &mut Canvas<'_>, title: &str, subtitle: &str, legend: &[Entry]) -> f64 {
    let room = WIDTH - 2.0 * MARGIN;
    let mut top = MARGIN;
    for (text, size, color, bold) in [(title, TITLE, INK, true), (subtitle, LABEL, SOFT, false)] {
        // Bold letters are about a tenth wider.
        let text = truncate_to_width(text, size, if bold { 0.9 * room } else { room });
        if !text.is_empty() {
            let how = TextFormat { bold, ..TextFormat::new(size, color, HPos::Left) };
            canvas.text(&text, (MARGIN, top + size / 2.0), how);
            top += size + 8.0;
        }
    }
    let (mut left, mut row) = (MARGIN, 0);
    for (index, entry) in legend.iter().enumerate() {
        let label = truncate_to_width(&entry.label, LABEL, 0.6 * room);
        let width = 28.0 + text_width(&label, LABEL) + 16.0;
        if left > MARGIN && left + width > WIDTH - MARGIN {
            (left, row) = (MARGIN, row + 1);
        }
        let y = top + LABEL / 2.0 + 17.0 * row as f64;
        if row == LEGEND_ROWS - 1 && left + width + 90.0 > WIDTH - MARGIN && index + 1 < legend.len() {
            let more = format!("and {} more", legend.len() - index);
            canvas.text(&more, (left, y), TextFormat::new(LABEL, SOFT, HPos::Left));
            break;
        }
        let sample = [(left, y), (left + 22.0, y)];
        match entry.look {
            Look::Dots => canvas.shape(entry.shape.unwrap_or(0), (left + 11.0, y), 3.2, entry.color),
            Look::Dashed => canvas.dashes(&sample, (5.0, 3.0), 2.0, entry.color),
            Look::Line | Look::Thin => canvas.path(&sample, 2.0, entry.color),
        }
        if let Some(shape) = entry.shape.filter(|_| entry.look == Look::Line) {
            canvas.shape(shape, (left + 11.0, y), 3.6, entry.color);
        }
        canvas.text(&label, (left + 28.0, y), TextFormat::new(LABEL, INK, HPos::Left));
        left += width;
    }
    (if legend.is_empty() { top } else { top + 17.0 * (row + 1) as f64 }) + 5.0
}

/// The description for screen readers: title and subtitle.
pub(crate) fn description(title: &str, subtitle: &str) -> String {
    [title, subtitle].map(single_line).into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join(". ")
}
