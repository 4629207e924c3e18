//! Draws one series with its spread.

use plotters::style::RGBColor;

use super::canvas::Canvas;
use super::panel::Panel;
use super::polyline::{Place, subsample_columns};
use super::series::{Look, Series, Spread};
use super::style::with_opacity;

/// Places of a line at least this many pixels apart bear a marker.
const MARKER_GAP: f64 = 70.0;

/// How a series of a figure is drawn: its look with the colour and the marker that it got.
#[derive(Clone, Copy)]
pub(crate) struct ResolvedLook {
    pub color: RGBColor,
    pub look: Look,
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
            Look::Line if run.len() > 1 => {
                canvas.path(&subsample_columns(&run), 1.8, color);
                if let Some(shape) = shape {
                    spaced(&run).for_each(|at| canvas.shape(shape, at, 3.6, color));
                }
            }
            Look::Dashed if run.len() > 1 => canvas.dashes(&subsample_columns(&run), (6.0, 4.0), 1.8, color),
            Look::Thin if run.len() > 1 => canvas.path(&subsample_columns(&run), 0.8, with_opacity(color, 0.35)),
            _ => {
                for at in run {
                    canvas.shape(shape.unwrap_or(0), at, 3.2, with_opacity(color, 0.85));
                }
            }
        }
    }
}
