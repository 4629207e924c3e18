//! Series of points on two axes: metrics against epochs, one measurement against another, the loss along one direction.

use super::canvas::render;
use super::elements::{ResolvedLook, description, draw_series, draw_spread, header};
use super::panel::{Area, BELOW, Occupied, Panel, square_around};
use super::polyline::{Place, densify, subsample_columns};
use super::range::Range;
use super::series::{Axis, PlotError, PointMarker, Scale, Series, SeriesStyle, Spread, VerticalLine};
use super::style::{HEIGHT, MARGIN, PALETTE, group_style};

/// A figure of series on two axes.
#[derive(Debug, Clone, Default)]
pub struct LinePlot {
    /// What is shown.
    pub title: String,
    /// How it was made.
    pub subtitle: String,
    /// The axis below.
    pub x: Axis,
    /// The axis at the left.
    pub y: Axis,
    /// The series, drawn in order.
    pub series: Vec<Series>,
    /// Marked values of x.
    pub marks: Vec<VerticalLine>,
    /// Marked points.
    pub markers: Vec<PointMarker>,
}

/// Draws series of points as SVG.
///
/// # Errors
/// If no point has a place on the axes, or a spread is not one pair a point.
pub fn lines(plot: &LinePlot) -> Result<String, PlotError> {
    for Series { label, points, spread, .. } in &plot.series {
        if *spread != Spread::None && spread.ends().len() != points.len() {
            return Err(PlotError::Spread { label: label.clone(), points: points.len(), ends: spread.ends().len() });
        }
    }
    let (x, y) = ranges(plot)?;
    let looks = resolve_looks(&plot.series);
    let mut legend: Vec<(String, ResolvedLook)> = Vec::new();
    for (series, drawn) in plot.series.iter().zip(&looks) {
        if !series.label.trim().is_empty() && !legend.iter().any(|(label, _)| *label == series.label) {
            legend.push((series.label.clone(), *drawn));
        }
    }
    render(&description(&plot.title, &plot.subtitle), |canvas| {
        let top = header(canvas, &plot.title, &plot.subtitle, &legend);
        let bottom = HEIGHT - MARGIN - BELOW + 4.0;
        let mut panel = Panel::new(top, bottom, 0.0, x, y);
        if !plot.x.categories.is_empty() {
            panel.name_x(&plot.x.categories);
        }
        panel.grid(canvas);
        for (series, drawn) in plot.series.iter().zip(&looks) {
            draw_spread(canvas, &panel, series, drawn.color);
        }
        for (series, &drawn) in plot.series.iter().zip(&looks) {
            draw_series(canvas, &panel, &series.points, drawn);
        }
        panel.axes(canvas, Some(&plot.x.label), &plot.y.label);
        let mut occupied = Occupied::default();
        if !(plot.marks.is_empty() && plot.markers.is_empty()) {
            occupied.drawn = plot.series.iter().flat_map(|s| obstacles(&panel, s)).collect();
        }
        panel.marks(canvas, &plot.marks, &mut occupied);
        let markers = panel.place_markers(&plot.markers, &mut occupied);
        panel.markers(canvas, &markers);
    })
}

/// Boxes along a series that labels keep off.
fn obstacles(panel: &Panel, series: &Series) -> Vec<Area> {
    let places: Vec<Option<Place>> = series.points.iter().map(|&(x, y)| panel.place(x, y)).collect();
    let runs = places.split(Option::is_none).map(|run| run.iter().copied().flatten().collect::<Vec<_>>());
    let drawn =
        |run: Vec<Place>| if series.look == SeriesStyle::Dots { run } else { densify(&subsample_columns(&run), 8.0) };
    runs.flat_map(drawn).map(|at| square_around(at, 3.0)).collect()
}

/// The ranges of everything that has a place.
fn ranges(plot: &LinePlot) -> Result<(Range, Range), PlotError> {
    let (sx, sy) = (plot.x.scale, plot.y.scale);
    let placed = |&(x, y): &(f64, f64)| sx.forward(x).is_some() && sy.forward(y).is_some();
    let points = || plot.series.iter().flat_map(|s| &s.points).copied().filter(placed);
    if points().next().is_none() {
        let found = plot.series.iter().map(|s| s.points.len()).sum();
        let expected = "point that is finite, and positive along a logarithmic axis";
        return Err(PlotError::Empty { title: plot.title.clone(), expected, found });
    }
    let markers = || plot.markers.iter().map(|m| (m.x, m.y)).filter(placed);
    let ends = plot.series.iter().flat_map(|s| s.spread.ends());
    let xs = points().chain(markers()).map(|p| p.0).chain(plot.marks.iter().map(|m| m.at));
    let ys = points().chain(markers()).map(|p| p.1).chain(ends.flat_map(|&(low, high)| [low, high]));
    let nothing = || PlotError::Empty { title: plot.title.clone(), expected: "finite point", found: 0 };
    let x = match plot.x.categories.len() {
        0 => Range::of(sx, xs).ok_or_else(nothing)?.padded(0.02, 0.02),
        names => Range { scale: Scale::Linear, low: -0.5, high: names as f64 - 0.5 },
    };
    let y = Range::of(sy, ys).ok_or_else(nothing)?;
    let core = Range::of(sy, points().chain(markers()).map(|p| p.1)).ok_or_else(nothing)?;
    Ok((x, limit_reach(y, core).padded(0.05, 0.08)))
}

/// On a logarithmic axis an end near zero may not squeeze the points: it reaches as far below them as they span, or a
/// decade.
fn limit_reach(all: Range, points: Range) -> Range {
    let reach = (points.high - points.low).max(1.0);
    match all.scale {
        Scale::Linear => all,
        Scale::Log => Range { low: all.low.max(points.low - reach), ..all },
    }
}

/// A colour and a look for each series, one colour a label or a group; unlabelled ones have their own. When the colours
/// repeat, lines are dashed.
fn resolve_looks(series: &[Series]) -> Vec<ResolvedLook> {
    let mut labels: Vec<&str> = Vec::new();
    let look = |s: &'_ Series, index: usize| match s.look {
        SeriesStyle::Line if index / PALETTE.len() % 2 == 1 => SeriesStyle::Dashed,
        look => look,
    };
    let mut looks = Vec::new();
    for s in series {
        if let Some((color, shape)) = s.group.map(group_style) {
            looks.push(ResolvedLook { color, look: s.look, shape: Some(shape) });
            continue;
        }
        let known = labels.iter().position(|l| !l.is_empty() && *l == s.label);
        let index = known.unwrap_or(labels.len());
        if known.is_none() {
            labels.push(&s.label);
        }
        looks.push(ResolvedLook { color: PALETTE[index % PALETTE.len()], look: look(s, index), shape: None });
    }
    looks
}

/// The loss L(θ + t d) along a direction d.
#[derive(Debug, Clone, Default)]
pub struct LossSlice {
    /// What is shown.
    pub title: String,
    /// How it was measured.
    pub subtitle: String,
    /// Name of the direction, for the x axis: `step t, in multiples of DIRECTION`.
    pub direction: String,
    /// Scale of the loss.
    pub scale: Scale,
    /// Curves of points (t, loss). The first one is marked at t = 0; a quadratic model or the loss on another split may
    /// follow.
    pub curves: Vec<Series>,
}

/// Draws the loss along a direction as SVG.
///
/// # Errors
/// As [`lines`].
pub fn slice(slice: &LossSlice) -> Result<String, PlotError> {
    let direction = if slice.direction.trim().is_empty() { "the direction" } else { slice.direction.trim() };
    let start = slice.curves.first().and_then(|c| height_at_zero(&c.points));
    lines(&LinePlot {
        title: slice.title.clone(),
        subtitle: slice.subtitle.clone(),
        x: Axis::linear(format!("step t, in multiples of {direction}")),
        y: Axis { scale: slice.scale, ..Axis::linear("loss") },
        series: slice.curves.clone(),
        marks: Vec::new(),
        markers: start.map(|y| PointMarker { x: 0.0, y, label: "t = 0".to_string() }).into_iter().collect(),
    })
}

/// The height of a curve at t = 0, between the two points around it.
fn height_at_zero(points: &[(f64, f64)]) -> Option<f64> {
    let exact = points.iter().find(|p| p.0 == 0.0).map(|p| p.1);
    let between = || {
        let pair = points.windows(2).find(|p| p[0].0 * p[1].0 < 0.0)?;
        let share = pair[0].0 / (pair[0].0 - pair[1].0);
        Some(pair[0].1 + share * (pair[1].1 - pair[0].1))
    };
    exact.or_else(between).filter(|y| y.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_is_found_on_and_between_points() {
        assert_eq!(height_at_zero(&[(-1.0, 3.0), (0.0, 2.0), (1.0, 5.0)]), Some(2.0));
        assert_eq!(height_at_zero(&[(-1.0, 3.0), (3.0, 7.0)]), Some(4.0));
        assert_eq!(height_at_zero(&[(1.0, 3.0), (3.0, 7.0)]), None);
        assert_eq!(height_at_zero(&[(-1.0, f64::NAN), (3.0, 7.0)]), None);
    }
}
