//! Sizes and colours of every figure.

use plotters::style::{RGBAColor, RGBColor};

pub(crate) const WIDTH: f64 = 720.0;
pub(crate) const HEIGHT: f64 = 440.0;
/// Blank space around a figure.
pub(crate) const MARGIN: f64 = 16.0;

/// The faces asked for, in order.
pub(crate) const FONT: &str = "Helvetica, Arial, sans-serif";
pub(crate) const TITLE: f64 = 15.0;
/// Font size of the subtitle, the axis labels and the legend.
pub(crate) const LABEL: f64 = 12.0;
/// Font size of tick labels and marks.
pub(crate) const TICK: f64 = 11.0;

/// Titles and axis labels.
pub(crate) const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
/// Tick labels, axis lines and subtitles.
pub(crate) const SOFT: RGBColor = RGBColor(0x55, 0x55, 0x55);
pub(crate) const GRID: RGBColor = RGBColor(0xE6, 0xE6, 0xE6);
/// Lines between ticks.
pub(crate) const FINE_GRID: RGBColor = RGBColor(0xF4, 0xF4, 0xF4);
pub(crate) const WHITE: RGBColor = RGBColor(0xFF, 0xFF, 0xFF);

/// Colours of Okabe and Ito that stand out on white, in order of use.
pub(crate) const PALETTE: [RGBColor; 7] = [
    RGBColor(0x00, 0x72, 0xB2),
    RGBColor(0xD5, 0x5E, 0x00),
    RGBColor(0x00, 0x9E, 0x73),
    RGBColor(0xCC, 0x79, 0xA7),
    RGBColor(0xE6, 0x9F, 0x00),
    RGBColor(0x56, 0xB4, 0xE9),
    RGBColor(0x44, 0x44, 0x44),
];

pub(crate) const SHAPES: usize = 6;
/// Colours of groups: the palette without its grey.
const GROUP_COLORS: usize = 6;

/// In place of a group: bounds, diagonals, levels. ResolvedLook in grey.
pub(crate) const NO_GROUP: usize = usize::MAX;

/// Colour and marker of the group at this place, alike in every figure: 36 pairs, the first six differ in both.
pub(crate) fn group_style(group: usize) -> (RGBColor, usize) {
    if group == NO_GROUP {
        return (PALETTE[GROUP_COLORS], 0);
    }
    (PALETTE[group % GROUP_COLORS], (group + group / GROUP_COLORS) % SHAPES)
}

/// Viridis of matplotlib (Smith and van der Walt, CC0) at 17 equal steps.
const VIRIDIS: [(f64, f64, f64); 17] = [
    (68.0, 1.0, 84.0),
    (72.0, 24.0, 106.0),
    (71.0, 45.0, 123.0),
    (66.0, 64.0, 134.0),
    (59.0, 82.0, 139.0),
    (51.0, 99.0, 141.0),
    (44.0, 114.0, 142.0),
    (38.0, 129.0, 142.0),
    (33.0, 144.0, 140.0),
    (31.0, 159.0, 136.0),
    (40.0, 174.0, 128.0),
    (62.0, 188.0, 116.0),
    (93.0, 201.0, 99.0),
    (130.0, 211.0, 76.0),
    (171.0, 220.0, 50.0),
    (213.0, 226.0, 26.0),
    (253.0, 231.0, 37.0),
];

/// Viridis at `position` in [0, 1], linear between its steps.
pub(crate) fn viridis(position: f64) -> RGBColor {
    let at = if position.is_finite() { position.clamp(0.0, 1.0) * 16.0 } else { 0.0 };
    let step = (at as usize).min(15);
    let ((r, g, b), (r2, g2, b2)) = (VIRIDIS[step], VIRIDIS[step + 1]);
    let mix = |from: f64, to: f64| (from + (at - step as f64) * (to - from)).round() as u8;
    RGBColor(mix(r, r2), mix(g, g2), mix(b, b2))
}

/// Text and lines on dark colours that no theme changes: all but white, which a page in the dark turns.
const ON_DARK: RGBColor = RGBColor(0xFD, 0xFD, 0xFD);
/// Text and lines on light colours that no theme changes.
const ON_LIGHT: RGBColor = RGBColor(0x14, 0x14, 0x14);

/// Nearly white on dark colours, nearly black on light ones.
pub(crate) fn contrast(color: RGBColor) -> RGBColor {
    let RGBColor(r, g, b) = color;
    let luma = 0.299 * f64::from(r) + 0.587 * f64::from(g) + 0.114 * f64::from(b);
    if luma < 140.0 { ON_DARK } else { ON_LIGHT }
}

/// `color` at an opacity in [0, 1].
pub(crate) fn with_opacity(color: RGBColor, opacity: f64) -> RGBAColor {
    RGBAColor(color.0, color.1, color.2, opacity)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn viridis_runs_from_purple_to_yellow() {
        // Entries 0, 51, .. 255 of matplotlib's table of 256 (scripts/reference/viridis.py).
        let table = [
            (0.0, 68, 1, 84),
            (0.2, 65, 68, 135),
            (0.4, 42, 120, 142),
            (0.6, 34, 168, 132),
            (0.8, 122, 209, 81),
            (1.0, 253, 231, 37),
        ];
        for (position, r, g, b) in table {
            let RGBColor(r2, g2, b2) = viridis(position);
            let off = [(r, r2), (g, g2), (b, b2)].map(|(a, b): (i32, u8)| (a - i32::from(b)).abs());
            assert!(off.iter().all(|&d| d <= 4), "{position}: {off:?}");
        }
        assert_eq!(viridis(f64::NAN), viridis(0.0));
        assert_eq!((contrast(viridis(0.0)), contrast(viridis(1.0))), (ON_DARK, ON_LIGHT));
    }
}
