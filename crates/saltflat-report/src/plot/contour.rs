//! The loss over two directions.

use plotters::style::{RGBColor, text_anchor::HPos};

use super::canvas::{Canvas, TextFormat, render};
use super::elements::{ColorBar, description, header};
use super::isolines::Field;
use super::panel::{Area, BELOW, Occupied, Panel, contains, overlaps};
use super::polyline::{Place, densify};
use super::range::{Range, Tick};
use super::series::{PlotError, PointMarker, Scale, check_grid};
use super::style::{GRID, HEIGHT, MARGIN, TICK, contrast, viridis, with_opacity};
use super::text::text_width;

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
    pub markers: Vec<PointMarker>,
}

/// Draws the loss over two directions as SVG: a viridis map between contour lines, with a marker at (0, 0).
///
/// # Errors
/// If the grid has no cell, its positions do not increase, or no value has a place on the scale.
pub fn contour(slice: &ContourSlice) -> Result<String, PlotError> {
    let is_position = |v: f64| Scale::Linear.forward(v).is_some();
    check_grid(&slice.title, [&slice.xs, &slice.ys], slice.values.len(), 2, is_position)?;
    let range = Range::of(slice.scale, slice.values.iter().copied()).ok_or_else(|| PlotError::Empty {
        title: slice.title.clone(),
        expected: if slice.scale == Scale::Log { "finite positive value" } else { "finite value" },
        found: slice.values.len(),
    })?;
    let axis = |line: &[f64]| Range { scale: Scale::Linear, low: line[0], high: line[line.len() - 1] };
    let (x, y) = (axis(&slice.xs), axis(&slice.ys));
    let levels = levels(&range);
    let scaled: Vec<f64> = slice.values.iter().map(|&v| slice.scale.forward(v).unwrap_or(f64::NAN)).collect();
    let bands = bands(scaled.iter().copied().fold(f64::INFINITY, f64::min), &range, &levels);
    let bar = ColorBar { range, levels: &levels, bands: &bands, label: &slice.value_label };

    render(&description(&slice.title, &slice.subtitle), |canvas| {
        let top = header(canvas, &slice.title, &slice.subtitle, &[]);
        let panel = Panel::new(top, HEIGHT - MARGIN - BELOW + 4.0, bar.width(), x, y);
        canvas.rectangle((panel.left, panel.top), (panel.right, panel.bottom), GRID);
        let field = Field {
            xs: slice.xs.iter().map(|&v| panel.across(v)).collect(),
            ys: slice.ys.iter().map(|&v| panel.down(v)).collect(),
            values: scaled,
        };
        for &(level, color) in &bands {
            let region = field.region_above(level);
            if !region.is_empty() {
                canvas.polygon(&region, color);
            }
        }
        cover_unknown(canvas, &field);
        let mut occupied = Occupied::default();
        let markers = panel.place_markers(&markers(slice), &mut occupied);
        draw_lines(canvas, &panel, &field, &bar, &mut occupied);
        panel.axes(canvas, Some(&slice.x_label), &slice.y_label);
        panel.markers(canvas, &markers);
        bar.draw(canvas, &panel);
    })
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
fn markers(slice: &ContourSlice) -> Vec<PointMarker> {
    let named = slice.markers.iter().any(|m| m.x == 0.0 && m.y == 0.0);
    let origin = PointMarker { label: "(0, 0)".to_string(), ..PointMarker::default() };
    (!named).then_some(origin).into_iter().chain(slice.markers.iter().cloned()).collect()
}

/// Covers the cells that have an unknown corner, row by row.
fn cover_unknown(canvas: &mut Canvas<'_>, field: &Field) {
    for row in 0..field.ys.len() - 1 {
        let unknown = |column: &usize| field.is_unknown(row, *column);
        let columns: Vec<usize> = (0..field.xs.len() - 1).filter(unknown).collect();
        for run in columns.chunk_by(|a, b| a + 1 == *b) {
            let (first, last) = (run[0], run[run.len() - 1] + 1);
            // Downwards is larger: the lower edge of a row is its first.
            let (upper, lower) = (field.ys[row + 1], field.ys[row]);
            canvas.rectangle((field.xs[first], upper), (field.xs[last], lower), GRID);
        }
    }
}

/// Draws the contour lines, each broken once for the label of its level.
fn draw_lines(canvas: &mut Canvas<'_>, panel: &Panel, field: &Field, bar: &ColorBar<'_>, occupied: &mut Occupied) {
    let every = bar.levels.len().div_ceil(LABELS).max(1);
    for (index, level) in bar.levels.iter().enumerate() {
        let color = contrast(bar.bands[index + 1].1);
        let lines: Vec<Vec<Place>> = field.isolines(level.at).iter().map(|line| densify(line, 2.0)).collect();
        let label = level.label.as_deref().filter(|_| index % every == 0).unwrap_or_default();
        let spot = if label.is_empty() { None } else { label_spot(&lines, label, &panel.area(), occupied) };
        for line in &lines {
            let hidden = |at: &Place| spot.is_some_and(|b| overlaps(&b, &(at.0, at.1, at.0, at.1)));
            for run in line.split(hidden).filter(|run| run.len() > 1) {
                canvas.path(run, 0.8, with_opacity(color, 0.75));
            }
        }
        if let Some(area) = spot {
            let middle = ((area.0 + area.2) / 2.0, (area.1 + area.3) / 2.0);
            canvas.text(label, middle, TextFormat::new(TICK - 1.0, color, HPos::Center));
            occupied.labels.push(area);
        }
    }
}

/// The box of a label on the longest line, where that runs most level, away from the border and from what is `occupied`.
fn label_spot(lines: &[Vec<Place>], label: &str, panel: &Area, occupied: &Occupied) -> Option<Area> {
    let (half, tall) = (text_width(label, TICK - 1.0) / 2.0 + 3.0, 7.0);
    let line = lines.iter().max_by_key(|line| line.len())?;
    let reach = (half / 2.0).ceil() as usize;
    if line.len() < 4 * reach {
        return None;
    }
    let slope = |i: usize| (line[i + reach].1 - line[i - reach].1).abs();
    let boxed = |i: usize| (line[i].0 - half, line[i].1 - tall, line[i].0 + half, line[i].1 + tall);
    let fits = |b: &Area| contains(panel, b) && occupied.is_free(b);
    let free = (reach..line.len() - reach).filter(|&i| fits(&boxed(i)));
    free.min_by(|&a, &b| slope(a).total_cmp(&slope(b))).map(boxed)
}
