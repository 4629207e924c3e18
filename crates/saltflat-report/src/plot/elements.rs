//! Elements of figures: title, subtitle and legend above the panels, series with their spread, and the colour bar at the right of a panel.

use plotters::style::{RGBColor, text_anchor::HPos};

use super::canvas::{Canvas, TextFormat};
use super::panel::{Panel, labels_width, pixel_center};
use super::polyline::{Place, subsample_columns};
use super::range::{Range, Tick};
use super::series::{Series, SeriesStyle, Spread};
use super::style::{INK, LABEL, MARGIN, SOFT, TICK, TITLE, WIDTH, with_opacity};
use super::text::{single_line, text_width, truncate_to_width};

/// Most rows of a legend; what does not fit is counted.
const LEGEND_ROWS: usize = 4;

/// Draws title, subtitle and legend; returns the height they take.
pub(crate) fn header(canvas: &mut Canvas<'_>, title: &str, subtitle: &str, legend: &[(String, ResolvedLook)]) -> f64 {
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
    for (index, (label, entry)) in legend.iter().enumerate() {
        let label = truncate_to_width(label, LABEL, 0.6 * room);
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
            SeriesStyle::Dots => canvas.shape(entry.shape.unwrap_or(0), (left + 11.0, y), 3.2, entry.color),
            SeriesStyle::Dashed => canvas.dashes(&sample, (5.0, 3.0), 2.0, entry.color),
            SeriesStyle::Line | SeriesStyle::Thin => canvas.path(&sample, 2.0, entry.color),
        }
        if let Some(shape) = entry.shape.filter(|_| entry.look == SeriesStyle::Line) {
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

/// Places of a line at least this many pixels apart bear a marker.
const MARKER_GAP: f64 = 70.0;

/// How a series of a figure is drawn: its look with the colour and the marker that it got.
#[derive(Clone, Copy)]
pub(crate) struct ResolvedLook {
    pub color: RGBColor,
    pub look: SeriesStyle,
    pub shape: Option<usize>,
}

pub(crate) fn draw_spread(canvas: &mut Canvas<'_>, panel: &Panel, series: &Series, color: RGBColor) {
    // The ends of one point, an end without a place held at the edge of the panel.
    let ends = |i: usize, (low, high): (f64, f64)| {
        let (x, y) = series.points[i];
        let (across, middle) = panel.place(x, y)?;
        if low.is_nan() || high.is_nan() {
            return Some((across, middle, middle));
        }
        let held = |end: f64| {
            let edge = if end > y { panel.top } else { panel.bottom };
            panel.place(x, end).map_or(edge, |p| p.1.min(panel.bottom))
        };
        Some((across, held(low), held(high)))
    };
    match &series.spread {
        Spread::None => {}
        Spread::Bars(pairs) => {
            let places = pairs.iter().enumerate().filter_map(|(i, &pair)| ends(i, pair));
            for (x, lower, upper) in places {
                canvas.path(&[(x, lower), (x, upper)], 1.2, color);
                for y in [lower, upper] {
                    canvas.path(&[(x - 3.5, y), (x + 3.5, y)], 1.2, color);
                }
            }
        }
        Spread::Band(pairs) => {
            let places: Vec<_> = pairs.iter().enumerate().map(|(i, &pair)| ends(i, pair)).collect();
            for run in places.split(Option::is_none) {
                let lower = run.iter().flatten().map(|&(x, lower, _)| (x, lower));
                let upper = run.iter().flatten().rev().map(|&(x, _, upper)| (x, upper));
                let outline: Vec<Place> = lower.chain(upper).collect();
                if run.len() > 1 {
                    canvas.polygon(&outline, with_opacity(color, 0.18));
                }
            }
        }
    }
}

/// The first place of a line and those far enough from the one before.
fn spaced(run: &[Place]) -> impl Iterator<Item = Place> {
    let mut last = f64::NEG_INFINITY;
    run.iter().copied().filter(move |at| {
        let far = (at.0 - last).abs() >= MARKER_GAP;
        last = if far { at.0 } else { last };
        far
    })
}

pub(crate) fn draw_series(
    canvas: &mut Canvas<'_>,
    panel: &Panel,
    points: &[(f64, f64)],
    ResolvedLook { color, look, shape }: ResolvedLook,
) {
    let places: Vec<Option<Place>> = points.iter().map(|&(x, y)| panel.place(x, y)).collect();
    for run in places.split(Option::is_none) {
        let run: Vec<Place> = run.iter().copied().flatten().collect();
        match look {
            SeriesStyle::Line if run.len() > 1 => {
                canvas.path(&subsample_columns(&run), 1.8, color);
                if let Some(shape) = shape {
                    spaced(&run).for_each(|at| canvas.shape(shape, at, 3.6, color));
                }
            }
            SeriesStyle::Dashed if run.len() > 1 => canvas.dashes(&subsample_columns(&run), (6.0, 4.0), 1.8, color),
            SeriesStyle::Thin if run.len() > 1 => canvas.path(&subsample_columns(&run), 0.8, with_opacity(color, 0.35)),
            _ => {
                for at in run {
                    canvas.shape(shape.unwrap_or(0), at, 3.2, with_opacity(color, 0.85));
                }
            }
        }
    }
}
