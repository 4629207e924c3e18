//! The loss over two directions.

use plotters::style::{Color, RGBColor, text_anchor::HPos};

use crate::axis::{Range, Scale, Tick};
use crate::canvas::{Canvas, Lettering, Place, figure, refined};
use crate::header::{description, header};
use crate::isolines::Field;
use crate::labels::{Area, Taken, meets, within};
use crate::panel::{BELOW, Panel, crisp, labels_width};
use crate::style::{GRID, HEIGHT, INK, LABEL, MARGIN, SOFT, TICK, contrast, faint, shortened, text_width, viridis};
use crate::{Marker, PlotError};

/// Width of the colour bar.
const BAR: f64 = 16.0;
/// Most labels of levels on the lines.
const LABELS: usize = 8;

/// The loss L(θ + x d₁ + y d₂) on a grid.
#[derive(Debug, Clone, Default)]
pub struct ContourSlice {
    /// What is shown.
    pub title: String,
    /// How it was measured.
    pub subtitle: String,
    /// Label of the x axis: the first direction and its unit.
    pub x_label: String,
    /// Label of the y axis: the second direction and its unit.
    pub y_label: String,
    /// Label of the colour bar, such as `training loss`.
    pub value_label: String,
    /// Increasing grid positions along the first direction.
    pub xs: Vec<f64>,
    /// Increasing grid positions along the second direction.
    pub ys: Vec<f64>,
    /// Losses, `[ys, xs]` row by row. Grid cells at one that has no place on the scale stay grey.
    pub values: Vec<f64>,
    /// Scale of colours and levels.
    pub scale: Scale,
    /// Marked points. The one at (0, 0) is marked in any case; named here, it has that name.
    pub markers: Vec<Marker>,
}

/// Draws the loss over two directions as SVG: a viridis map between contour lines, with a marker at (0, 0).
///
/// # Errors
/// If the grid has no cell, its positions do not increase, or no value has a place on the scale.
pub fn contour(slice: &ContourSlice) -> Result<String, PlotError> {
    check(slice)?;
    let range = Range::of(slice.scale, slice.values.iter().copied()).ok_or_else(|| PlotError::Empty {
        title: slice.title.clone(),
        expected: if slice.scale == Scale::Log { "finite positive value" } else { "finite value" },
        found: slice.values.len(),
    })?;
    let axis = |line: &[f64]| Range { scale: Scale::Linear, low: line[0], high: line[line.len() - 1] };
    let (x, y) = (axis(&slice.xs), axis(&slice.ys));
    let levels = levels(&range);

    figure(&description(&slice.title, &slice.subtitle), |canvas| {
        let top = header(canvas, &slice.title, &slice.subtitle, &[])?;
        let aside = bar_width(&levels);
        let panel = Panel::new(top, HEIGHT - MARGIN - BELOW + 4.0, aside, x, y);
        canvas.rectangle((panel.left, panel.top), (panel.right, panel.bottom), GRID.to_rgba())?;
        let field = Field {
            xs: slice.xs.iter().map(|&v| panel.across(v)).collect(),
            ys: slice.ys.iter().map(|&v| panel.down(v)).collect(),
            values: slice.values.iter().map(|&v| slice.scale.forward(v).unwrap_or(f64::NAN)).collect(),
        };
        let lowest = field.values.iter().copied().fold(f64::INFINITY, f64::min);
        let bands = bands(lowest, &range, &levels);
        for &(level, color) in &bands {
            let region = field.region_above(level);
            if !region.is_empty() {
                canvas.polygon(&region, color.to_rgba())?;
            }
        }
        cover_unknown(canvas, &field)?;
        let mut taken = Taken::default();
        let markers = panel.set_markers(&markers(slice), &mut taken);
        draw_lines(canvas, &panel, &field, &levels, &bands, &mut taken)?;
        panel.axes(canvas, Some(&slice.x_label), &slice.y_label)?;
        panel.markers(canvas, &markers)?;
        draw_bar(canvas, &panel, &range, &levels, &bands, &slice.value_label)
    })
}

fn check(slice: &ContourSlice) -> Result<(), PlotError> {
    let (columns, rows, values) = (slice.xs.len(), slice.ys.len(), slice.values.len());
    let title = || slice.title.clone();
    if columns < 2 || rows < 2 || columns.checked_mul(rows) != Some(values) {
        return Err(PlotError::Grid { title: title(), columns, rows, values });
    }
    for (axis, line) in [("x", &slice.xs), ("y", &slice.ys)] {
        let fits = |i: usize| Scale::Linear.forward(line[i]).is_some() && (i == 0 || line[i] > line[i - 1]);
        if let Some(index) = (0..line.len()).find(|&i| !fits(i)) {
            return Err(PlotError::GridLine { title: title(), axis, found: line[index].to_string(), index });
        }
    }
    Ok(())
}

/// The levels of the lines, with labels: about ten, not too near the ends of the range.
fn levels(range: &Range) -> Vec<Tick> {
    let ticks = range.ticks(if range.scale == Scale::Log { 12 } else { 11 });
    let inside = |t: &Tick| t.label.is_some() && (0.02..0.98).contains(&range.share(t.at));
    ticks.into_iter().filter(inside).collect()
}

/// Where each band of colour begins, and its colour: that of its middle.
fn bands(lowest: f64, range: &Range, levels: &[Tick]) -> Vec<(f64, RGBColor)> {
    let edges: Vec<f64> = std::iter::once(range.low).chain(levels.iter().map(|t| t.at)).chain([range.high]).collect();
    let middles: Vec<f64> = edges.windows(2).map(|e| e[0] / 2.0 + e[1] / 2.0).collect();
    let (first, last) = (middles[0], middles[middles.len() - 1]);
    let share = |m: f64| if last > first { (m - first) / (last - first) } else { 0.5 };
    let start = |i: usize| if i == 0 { lowest } else { edges[i] };
    middles.iter().enumerate().map(|(i, &m)| (start(i), viridis(share(m)))).collect()
}

/// The marked points, the origin among them.
fn markers(slice: &ContourSlice) -> Vec<Marker> {
    let named = slice.markers.iter().any(|m| m.x == 0.0 && m.y == 0.0);
    let origin = Marker { label: "(0, 0)".to_string(), ..Marker::default() };
    (!named).then_some(origin).into_iter().chain(slice.markers.iter().cloned()).collect()
}

/// Covers the cells that have an unknown corner, row by row.
fn cover_unknown(canvas: &mut Canvas<'_>, field: &Field) -> Result<(), PlotError> {
    for row in 0..field.ys.len() - 1 {
        let unknown = |column: &usize| field.is_unknown(row, *column);
        let columns: Vec<usize> = (0..field.xs.len() - 1).filter(unknown).collect();
        for run in columns.chunk_by(|a, b| a + 1 == *b) {
            let (first, last) = (run[0], run[run.len() - 1] + 1);
            // Downwards is larger: the lower edge of a row is its first.
            let (upper, lower) = (field.ys[row + 1], field.ys[row]);
            canvas.rectangle((field.xs[first], upper), (field.xs[last], lower), GRID.to_rgba())?;
        }
    }
    Ok(())
}

/// Draws the contour lines, each broken once for the label of its level.
fn draw_lines(
    canvas: &mut Canvas<'_>,
    panel: &Panel,
    field: &Field,
    levels: &[Tick],
    bands: &[(f64, RGBColor)],
    taken: &mut Taken,
) -> Result<(), PlotError> {
    let every = levels.len().div_ceil(LABELS).max(1);
    for (index, level) in levels.iter().enumerate() {
        let color = contrast(bands[index + 1].1);
        let lines: Vec<Vec<Place>> = field.isolines(level.at).iter().map(|line| refined(line, 2.0)).collect();
        let label = level.label.as_deref().filter(|_| index % every == 0).unwrap_or_default();
        let spot = if label.is_empty() { None } else { label_spot(&lines, label, &panel.area(), taken) };
        for line in &lines {
            let hidden = |at: &Place| spot.is_some_and(|b| meets(&b, &(at.0, at.1, at.0, at.1)));
            for run in line.split(hidden).filter(|run| run.len() > 1) {
                canvas.path(run, 0.8, faint(color, 0.75))?;
            }
        }
        if let Some(area) = spot {
            let middle = ((area.0 + area.2) / 2.0, (area.1 + area.3) / 2.0);
            canvas.text(label, middle, Lettering::new(TICK - 1.0, color, HPos::Center))?;
            taken.labels.push(area);
        }
    }
    Ok(())
}

/// The box of a label on the longest line, where that runs most level, away from the border and from `taken`.
fn label_spot(lines: &[Vec<Place>], label: &str, panel: &Area, taken: &Taken) -> Option<Area> {
    let (half, tall) = (text_width(label, TICK - 1.0) / 2.0 + 3.0, 7.0);
    let line = lines.iter().max_by_key(|line| line.len())?;
    let reach = (half / 2.0).ceil() as usize;
    if line.len() < 4 * reach {
        return None;
    }
    let slope = |i: usize| (line[i + reach].1 - line[i - reach].1).abs();
    let boxed = |i: usize| (line[i].0 - half, line[i].1 - tall, line[i].0 + half, line[i].1 + tall);
    let fits = |b: &Area| within(b, panel) && taken.leaves_free(b);
    let free = (reach..line.len() - reach).filter(|&i| fits(&boxed(i)));
    free.min_by(|&a, &b| slope(a).total_cmp(&slope(b))).map(boxed)
}

/// Pixels that a colour bar takes at the right of a panel.
pub(crate) fn bar_width(levels: &[Tick]) -> f64 {
    18.0 + BAR + 7.0 + labels_width(levels) + 8.0 + LABEL
}

/// Draws the colour bar at the right, with the levels that have room for their labels.
pub(crate) fn draw_bar(
    canvas: &mut Canvas<'_>,
    panel: &Panel,
    range: &Range,
    levels: &[Tick],
    bands: &[(f64, RGBColor)],
    label: &str,
) -> Result<(), PlotError> {
    let left = panel.right + 18.0;
    let height = |at: f64| panel.bottom - range.share(at).clamp(0.0, 1.0) * (panel.bottom - panel.top);
    for (index, &(start, color)) in bands.iter().enumerate() {
        let lower = if index == 0 { panel.bottom } else { height(start) };
        // Up to the top, under the next band: no paper shines through between them.
        canvas.rectangle((left, panel.top), (left + BAR, lower), color.to_rgba())?;
    }
    let mut last = f64::INFINITY;
    for level in levels {
        let y = height(level.at);
        if last - y < TICK + 1.0 {
            continue;
        }
        last = y;
        canvas.path(&[(left + BAR, crisp(y)), (left + BAR + 4.0, crisp(y))], 1.0, SOFT.to_rgba())?;
        let text = level.label.as_deref().unwrap_or_default();
        canvas.text(text, (left + BAR + 7.0, y), Lettering::new(TICK, SOFT, HPos::Left))?;
    }
    let at = (left + BAR + 7.0 + labels_width(levels) + 4.0 + LABEL / 2.0, (panel.top + panel.bottom) / 2.0);
    let label = shortened(label, LABEL, panel.bottom - panel.top + 20.0);
    canvas.text(&label, at, Lettering { upwards: true, ..Lettering::new(LABEL, INK, HPos::Center) })
}
