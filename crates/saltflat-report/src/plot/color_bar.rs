//! The colour bar at the right of a panel.

use plotters::style::{RGBColor, text_anchor::HPos};

use super::canvas::{Canvas, TextFormat};
use super::panel::{Panel, labels_width, pixel_center};
use super::range::{Range, Tick};
use super::style::{INK, LABEL, SOFT, TICK};
use super::text::truncate_to_width;

/// Width of the bar itself.
const BAR: f64 = 16.0;

/// Colours of values, with labels.
pub(crate) struct ColorBar<'a> {
    pub range: Range,
    /// The labelled values.
    pub levels: &'a [Tick],
    /// Where each band of colour begins, in increasing order, and its colour.
    pub bands: &'a [(f64, RGBColor)],
    pub label: &'a str,
}

impl ColorBar<'_> {
    /// Pixels that it takes at the right of a panel.
    pub fn width(&self) -> f64 {
        18.0 + BAR + 7.0 + labels_width(self.levels) + 8.0 + LABEL
    }

    /// Draws it, with the levels that have enough space for their labels.
    pub fn draw(&self, canvas: &mut Canvas<'_>, panel: &Panel) {
        let left = panel.right + 18.0;
        let height = |at: f64| panel.bottom - self.range.share(at).clamp(0.0, 1.0) * (panel.bottom - panel.top);
        for (index, &(start, color)) in self.bands.iter().enumerate() {
            let lower = if index == 0 { panel.bottom } else { height(start) };
            // Up to the top, under the next band: no paper shines through between them.
            canvas.rectangle((left, panel.top), (left + BAR, lower), color);
        }
        let mut last = f64::INFINITY;
        for level in self.levels {
            let y = height(level.at);
            if last - y < TICK + 1.0 {
                continue;
            }
            last = y;
            canvas.path(&[(left + BAR, pixel_center(y)), (left + BAR + 4.0, pixel_center(y))], 1.0, SOFT);
            canvas.text(level.text(), (left + BAR + 7.0, y), TextFormat::new(TICK, SOFT, HPos::Left));
        }
        let across = left + BAR + 7.0 + labels_width(self.levels) + 4.0 + LABEL / 2.0;
        let label = truncate_to_width(self.label, LABEL, panel.bottom - panel.top + 20.0);
        let format = TextFormat { upwards: true, ..TextFormat::new(LABEL, INK, HPos::Center) };
        canvas.text(&label, (across, (panel.top + panel.bottom) / 2.0), format);
    }
}
