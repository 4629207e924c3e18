//! Series of points on two axes: metrics against epochs, one measurement against another.

use plotters::style::{Color, RGBColor};

use crate::axis::{Axis, Range, Scale};
use crate::canvas::{Canvas, Place, figure, refined, thinned};
use crate::header::{Entry, description, header};
use crate::labels::{Area, Taken, around};
use crate::panel::{BELOW, Panel};
use crate::style::{HEIGHT, MARGIN, NO_GROUP, PALETTE, faint, of_group};
use crate::{Mark, Marker, PlotError};

/// How a series is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Look {
    /// A line through the points, in their order.
    #[default]
    Line,
    /// The same, dashed: models, bounds, baselines.
    Dashed,
    /// A dot at each point.
    Dots,
    /// A faint line: one of many.
    Thin,
}

/// Lower and upper ends around the points of a series, one pair a point, as values of y.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Spread {
    /// None.
    #[default]
    None,
    /// A shaded band.
    Band(Vec<(f64, f64)>),
    /// A bar at each point.
    Bars(Vec<(f64, f64)>),
}

impl Spread {
    fn ends(&self) -> &[(f64, f64)] {
        match self {
            Spread::None => &[],
            Spread::Band(ends) | Spread::Bars(ends) => ends,
        }
    }
}

/// A series of points.
#[derive(Debug, Clone, Default)]
pub struct Series {
    /// Its name in the legend; without one it has no entry. Series of one name share one colour and one entry.
    pub label: String,
    /// The points (x, y). Where one has no place on the axes the line is broken.
    pub points: Vec<(f64, f64)>,
    /// How they are drawn.
    pub look: Look,
    /// Their uncertainty.
    pub spread: Spread,
    /// Place among the groups of a page: series of one place have one colour and one marker in all figures. Without it
    /// colours go by the order of labels, and lines have no markers.
    pub group: Option<usize>,
}

impl Series {
    /// A plain line.
    pub fn line(label: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self { label: label.into(), points, ..Self::default() }
    }

    /// A dashed grey line that belongs to no group: a bound, a diagonal.
    pub fn reference(label: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self { look: Look::Dashed, group: Some(NO_GROUP), ..Self::line(label, points) }
    }
}

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
    pub marks: Vec<Mark>,
    /// Marked points.
    pub markers: Vec<Marker>,
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
    let looks = looks(&plot.series);
    let mut legend: Vec<Entry> = Vec::new();
    for (series, drawn) in plot.series.iter().zip(&looks) {
        if !series.label.trim().is_empty() && !legend.iter().any(|e| e.label == series.label) {
            let &Drawn { color, look, shape } = drawn;
            legend.push(Entry { label: series.label.clone(), color, look, shape });
        }
    }
    figure(&description(&plot.title, &plot.subtitle), |canvas| {
        let top = header(canvas, &plot.title, &plot.subtitle, &legend)?;
        let bottom = HEIGHT - MARGIN - BELOW + 4.0;
        let mut panel = Panel::new(top, bottom, 0.0, x, y);
        if !plot.x.categories.is_empty() {
            panel.name_x(&plot.x.categories);
        }
        panel.grid(canvas)?;
        for (series, drawn) in plot.series.iter().zip(&looks) {
            draw_spread(canvas, &panel, series, drawn.color)?;
        }
        for (series, &drawn) in plot.series.iter().zip(&looks) {
            draw_series(canvas, &panel, &series.points, drawn)?;
        }
        panel.axes(canvas, Some(&plot.x.label), &plot.y.label)?;
        let mut taken = Taken::default();
        if !(plot.marks.is_empty() && plot.markers.is_empty()) {
            taken.drawn = plot.series.iter().flat_map(|s| obstacles(&panel, s)).collect();
        }
        panel.marks(canvas, &plot.marks, &mut taken)?;
        let markers = panel.set_markers(&plot.markers, &mut taken);
        panel.markers(canvas, &markers)
    })
}

/// Boxes along a series that labels keep off.
fn obstacles(panel: &Panel, series: &Series) -> Vec<Area> {
    let places: Vec<Option<Place>> = series.points.iter().map(|&(x, y)| panel.place(x, y)).collect();
    let runs = places.split(Option::is_none).map(|run| run.iter().copied().flatten().collect::<Vec<_>>());
    let drawn = |run: Vec<Place>| if series.look == Look::Dots { run } else { refined(&thinned(&run), 8.0) };
    runs.flat_map(drawn).map(|at| around(at, 3.0)).collect()
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
    Ok((x, reachable(y, core).padded(0.05, 0.08)))
}

/// On a logarithmic axis an end near zero may not squeeze the points: it reaches as far below them as they span, or a
/// decade.
fn reachable(all: Range, points: Range) -> Range {
    let reach = (points.high - points.low).max(1.0);
    match all.scale {
        Scale::Linear => all,
        Scale::Log => Range { low: all.low.max(points.low - reach), ..all },
    }
}

/// How a series is drawn.
#[derive(Clone, Copy)]
struct Drawn {
    color: RGBColor,
    look: Look,
    shape: Option<usize>,
}

/// A colour and a look for each series, one colour a label or a group; unlabelled ones have their own. When the colours
/// repeat, lines are dashed.
fn looks(series: &[Series]) -> Vec<Drawn> {
    let mut labels: Vec<&str> = Vec::new();
    let look = |s: &'_ Series, index: usize| match s.look {
        Look::Line if index / PALETTE.len() % 2 == 1 => Look::Dashed,
        look => look,
    };
    let mut looks = Vec::new();
    for s in series {
        if let Some((color, shape)) = s.group.map(of_group) {
            looks.push(Drawn { color, look: s.look, shape: Some(shape) });
            continue;
        }
        let known = labels.iter().position(|l| !l.is_empty() && *l == s.label);
        let index = known.unwrap_or(labels.len());
        if known.is_none() {
            labels.push(&s.label);
        }
        looks.push(Drawn { color: PALETTE[index % PALETTE.len()], look: look(s, index), shape: None });
    }
    looks
}

fn draw_spread(canvas: &mut Canvas<'_>, panel: &Panel, series: &Series, color: RGBColor) -> Result<(), PlotError> {
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
        Spread::None => Ok(()),
        Spread::Bars(pairs) => {
            let places = pairs.iter().enumerate().filter_map(|(i, &pair)| ends(i, pair));
            for (x, lower, upper) in places {
                canvas.path(&[(x, lower), (x, upper)], 1.2, color.to_rgba())?;
                for y in [lower, upper] {
                    canvas.path(&[(x - 3.5, y), (x + 3.5, y)], 1.2, color.to_rgba())?;
                }
            }
            Ok(())
        }
        Spread::Band(pairs) => {
            let places: Vec<_> = pairs.iter().enumerate().map(|(i, &pair)| ends(i, pair)).collect();
            for run in places.split(Option::is_none) {
                let lower = run.iter().flatten().map(|&(x, lower, _)| (x, lower));
                let upper = run.iter().flatten().rev().map(|&(x, _, upper)| (x, upper));
                let outline: Vec<Place> = lower.chain(upper).collect();
                if run.len() > 1 {
                    canvas.polygon(&outline, faint(color, 0.18))?;
                }
            }
            Ok(())
        }
    }
}

/// Places of a line at least this many pixels apart bear a marker.
const MARKER_GAP: f64 = 70.0;

/// The first place of a line and those far enough from the one before.
fn spaced(run: &[Place]) -> impl Iterator<Item = Place> {
    let mut last = f64::NEG_INFINITY;
    run.iter().copied().filter(move |at| {
        let far = (at.0 - last).abs() >= MARKER_GAP;
        last = if far { at.0 } else { last };
        far
    })
}

fn draw_series(
    canvas: &mut Canvas<'_>,
    panel: &Panel,
    points: &[(f64, f64)],
    Drawn { color, look, shape }: Drawn,
) -> Result<(), PlotError> {
    let places: Vec<Option<Place>> = points.iter().map(|&(x, y)| panel.place(x, y)).collect();
    for run in places.split(Option::is_none) {
        let run: Vec<Place> = run.iter().copied().flatten().collect();
        match look {
            Look::Line if run.len() > 1 => {
                canvas.path(&thinned(&run), 1.8, color.to_rgba())?;
                if let Some(shape) = shape {
                    spaced(&run).try_for_each(|at| canvas.shape(shape, at, 3.6, color.to_rgba()))?;
                }
            }
            Look::Dashed if run.len() > 1 => canvas.dashes(&thinned(&run), (6.0, 4.0), 1.8, color.to_rgba())?,
            Look::Thin if run.len() > 1 => canvas.path(&thinned(&run), 0.8, faint(color, 0.35))?,
            _ => {
                for at in run {
                    canvas.shape(shape.unwrap_or(0), at, 3.2, faint(color, 0.85))?;
                }
            }
        }
    }
    Ok(())
}
