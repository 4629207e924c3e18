//! Phase diagrams: a cell for each pair of values of two axes.

use plotters::style::{RGBColor, text_anchor::HPos};

use super::canvas::{Canvas, TextFormat, render};
use super::elements::{ColorBar, ResolvedLook, description, header};
use super::panel::{BELOW, Panel};
use super::polyline::Place;
use super::range::{Range, Tick};
use super::series::{Axis, PlotError, Scale, Series, SeriesStyle, check_grid};
use super::style::{FINE_GRID, HEIGHT, INK, MARGIN, PALETTE, TICK, WHITE, WIDTH, contrast, viridis};
use super::text::{number, text_width, truncate_to_width};

const BAND_COUNT: usize = 48;

/// A value for each pair of two axes' values, such as the growth over noise strength and batch size.
#[derive(Debug, Clone, Default)]
pub struct PhaseDiagram {
    /// What is shown.
    pub title: String,
    /// How it was made.
    pub subtitle: String,
    /// The axis below. Cells are equally wide; its scale says how curves run between their middles. With categories,
    /// `xs` are 0, 1, 2, ….
    pub x: Axis,
    /// The axis at the left.
    pub y: Axis,
    /// Increasing values of the columns.
    pub xs: Vec<f64>,
    /// Increasing values of the rows, from below.
    pub ys: Vec<f64>,
    /// Values `[ys, xs]` row by row. NaN: nothing was measured, the cell stays empty. Infinity: it diverged, the cell is
    /// dark with a cross.
    pub values: Vec<f64>,
    /// Label of the colour bar.
    pub value_label: String,
    /// Scale of the colours.
    pub scale: Scale,
    /// Smallest and largest value of the colours; else those of the values.
    pub limits: Option<(f64, f64)>,
    /// Lines over the cells, in values of the axes: bounds and edges.
    pub curves: Vec<Series>,
}

const DIVERGED: RGBColor = RGBColor(0x30, 0x30, 0x30);

/// Height that a label of the axis at the left takes.
const LINE: f64 = TICK + 4.0;

/// Draws a phase diagram as SVG. Numbers stand in the cells if they fit and there are no curves.
///
/// # Errors
/// If the values are not one a pair, or the axes' values are not finite and increasing.
pub fn phase(diagram: &PhaseDiagram) -> Result<String, PlotError> {
    let PhaseDiagram { xs, ys, values, scale, .. } = diagram;
    check_grid(&diagram.title, [xs, ys], values.len(), 1, f64::is_finite)?;
    let limits = diagram.limits.map(|(low, high)| vec![low, high]);
    let colored = limits.unwrap_or_else(|| values.iter().copied().filter(|v| v.is_finite()).collect());
    let range = Range::of(*scale, colored).unwrap_or(Range { scale: *scale, low: 0.0, high: 1.0 });
    let levels: Vec<Tick> = range.ticks(8).into_iter().filter(|t| t.label.is_some()).collect();
    let band = |i: usize| i as f64 / BAND_COUNT as f64;
    let bands: Vec<(f64, RGBColor)> = (0..BAND_COUNT)
        .map(|i| (range.low + band(i) * (range.high - range.low), viridis(i as f64 / (BAND_COUNT - 1) as f64)))
        .collect();
    let mut legend: Vec<(String, ResolvedLook)> = Vec::new();
    for (i, curve) in diagram.curves.iter().enumerate().filter(|(_, c)| !c.label.trim().is_empty()) {
        legend.push((curve.label.clone(), ResolvedLook { color: line_color(i), look: line_look(i), shape: None }));
    }
    let bar = ColorBar { range, levels: &levels, bands: &bands, label: &diagram.value_label };
    render(&description(&diagram.title, &diagram.subtitle), |canvas| {
        let top = header(canvas, &diagram.title, &diagram.subtitle, &legend);
        let across = 0.75 * WIDTH;
        let along = |n: usize| Range { scale: Scale::Linear, low: -0.5, high: n as f64 - 0.5 };
        let panel = Panel::with_ticks(
            (top, HEIGHT - MARGIN - BELOW + 4.0),
            bar.width(),
            (
                along(xs.len()),
                ticks(&diagram.x, xs, across, (across / xs.len() as f64).max(3.0 * TICK), |label| {
                    text_width(label, TICK) + 6.0
                }),
            ),
            (along(ys.len()), ticks(&diagram.y, ys, HEIGHT - BELOW - top, 0.2 * WIDTH, |_| LINE)),
        );
        canvas.rectangle((panel.left, panel.top), (panel.right, panel.bottom), FINE_GRID);
        draw_cells(canvas, &panel, diagram, &range);
        for (i, curve) in diagram.curves.iter().enumerate() {
            draw_curve(canvas, &panel, diagram, curve, i);
        }
        panel.axes(canvas, Some(&diagram.x.label), &diagram.y.label);
        bar.draw(canvas, &panel);
    })
}

/// A tick at the middle of each cell. Names are cut at `widest`; of numbers only as many have labels as fit the room by
/// their `length`.
fn ticks(axis: &Axis, line: &[f64], room: f64, widest: f64, length: impl Fn(&str) -> f64) -> Vec<Tick> {
    let name =
        |i: usize| axis.categories.get(i).map_or_else(|| number(line[i]), |name| truncate_to_width(name, TICK, widest));
    let share = room / line.len() as f64;
    let longest = (0..line.len()).map(|i| length(&name(i))).fold(0.0, f64::max);
    let every = (longest / share.max(1.0)).ceil().max(1.0) as usize;
    let every = if axis.categories.is_empty() { every } else { 1 };
    let label = |i: usize| i.is_multiple_of(every).then(|| name(i));
    (0..line.len()).map(|i| Tick { at: i as f64, label: label(i) }).collect()
}

/// Draws the cells; those of one colour beside each other are one rectangle if no numbers stand in them. From below and
/// from the left, each goes on a little under the next, so that no paper shines through between them.
fn draw_cells(canvas: &mut Canvas<'_>, panel: &Panel, diagram: &PhaseDiagram, range: &Range) {
    let edge = |column: usize| panel.across(column as f64 - 0.5).round();
    let under = |last: bool| if last { 0.0 } else { 0.5 };
    for (row, values) in diagram.values.chunks(diagram.xs.len()).enumerate() {
        let (upper, lower) = (panel.down(row as f64 + 0.5).round(), panel.down(row as f64 - 0.5).round());
        let cell = |(column, &value): (usize, &f64)| {
            let crossed = value == f64::INFINITY;
            let text = if crossed { "×".into() } else { number(value) };
            let fits = text_width(&text, TICK) + 6.0 < edge(column + 1) - edge(column) && TICK + 3.0 < lower - upper;
            (fill(range, value), Some(text).filter(|_| fits && (crossed || diagram.curves.is_empty())))
        };
        let cells: Vec<(Option<RGBColor>, Option<String>)> = values.iter().enumerate().map(cell).collect();
        let mut column = 0;
        for alike in cells.chunk_by(|a, b| a == b && a.1.is_none()) {
            let (left, right) = (edge(column), edge(column + alike.len()));
            column += alike.len();
            let (Some(fill), text) = &alike[0] else { continue };
            let top = upper - under(row + 1 == diagram.ys.len());
            canvas.rectangle((left, top), (right + under(column == values.len()), lower), fill);
            if let Some(text) = text {
                let middle = ((left + right) / 2.0, (upper + lower) / 2.0);
                canvas.text(text, middle, TextFormat::new(TICK, contrast(*fill), HPos::Center));
            }
        }
    }
}

/// The colour of a cell; none if nothing was measured.
fn fill(range: &Range, value: f64) -> Option<RGBColor> {
    match range.share_of(value) {
        Some(share) => Some(viridis(share)),
        None => (value == f64::INFINITY).then_some(DIVERGED),
    }
}

fn line_color(index: usize) -> RGBColor {
    [INK, PALETTE[1], PALETTE[3]][index % 3]
}

fn line_look(index: usize) -> SeriesStyle {
    if index.is_multiple_of(2) { SeriesStyle::Line } else { SeriesStyle::Dashed }
}

/// A curve in the values of the axes, on a plate that keeps it apart from the cells.
fn draw_curve(canvas: &mut Canvas<'_>, panel: &Panel, diagram: &PhaseDiagram, curve: &Series, index: usize) {
    let place = |&(x, y): &(f64, f64)| -> Option<Place> {
        let at = (cell_position(&diagram.xs, diagram.x.scale, x)?, cell_position(&diagram.ys, diagram.y.scale, y)?);
        Some((panel.across(at.0), panel.down(at.1)))
    };
    let places: Vec<Option<Place>> = curve.points.iter().map(place).collect();
    for run in places.split(Option::is_none).filter(|run| run.len() > 1) {
        let run: Vec<Place> = run.iter().copied().flatten().collect();
        canvas.path(&run, 4.2, WHITE);
        match line_look(index) {
            SeriesStyle::Dashed => canvas.dashes(&run, (6.0, 4.0), 2.0, line_color(index)),
            _ => canvas.path(&run, 2.0, line_color(index)),
        }
    }
}

/// The position of a value among the middles of the cells, as a column or row with fractions; `None` off the diagram.
fn cell_position(line: &[f64], scale: Scale, value: f64) -> Option<f64> {
    let at = |v: f64| scale.forward(v).filter(|v| v.is_finite());
    let value = at(value)?;
    let placed: Vec<f64> = line.iter().map(|&v| at(v)).collect::<Option<_>>()?;
    let i = match placed.len() {
        0 => return None,
        1 => return (value == placed[0]).then_some(0.0),
        n => placed.partition_point(|&v| v <= value).clamp(1, n - 1) - 1,
    };
    let found = i as f64 + (value - placed[i]) / (placed[i + 1] - placed[i]);
    (-0.5..=line.len() as f64 - 0.5).contains(&found).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_run_between_the_middles_of_the_cells() {
        let line = [1.0, 10.0, 1000.0];
        assert_eq!(cell_position(&line, Scale::Linear, 5.5), Some(0.5));
        assert_eq!(cell_position(&line, Scale::Log, 100.0), Some(1.5));
        assert_eq!(cell_position(&line, Scale::Log, 1000.0), Some(2.0));
        assert_eq!(cell_position(&line, Scale::Log, 0.0), None);
        // Half a cell beyond the last middle is the border.
        assert_eq!(cell_position(&line, Scale::Linear, 1495.0), Some(2.5));
        assert_eq!(cell_position(&line, Scale::Linear, 1496.0), None);
    }
}
