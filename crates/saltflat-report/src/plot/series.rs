//! What figures are given: axes, series of points, marks beside them, a grid over two axes; and what can be wrong with it.

use super::style::NO_GROUP;

/// A marked value of x: a vertical line with a label.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct VerticalLine {
    /// The value.
    pub at: f64,
    /// Its name, such as `2/η = 20`.
    pub label: String,
}

/// A marked point with a label.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PointMarker {
    /// Position along the x axis.
    pub x: f64,
    /// Position along the y axis.
    pub y: f64,
    /// Its name; may be empty.
    pub label: String,
}

/// How a series is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SeriesStyle {
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
    pub(crate) fn ends(&self) -> &[(f64, f64)] {
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
    /// The points (x, y). If one has no place on the axes, the line is broken.
    pub points: Vec<(f64, f64)>,
    /// How they are drawn.
    pub look: SeriesStyle,
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
        Self { look: SeriesStyle::Dashed, group: Some(NO_GROUP), ..Self::line(label, points) }
    }
}

/// How values lie along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scale {
    /// Equal steps for equal differences.
    #[default]
    Linear,
    /// Equal steps for equal ratios. Zero and negative values are left out.
    Log,
}

impl Scale {
    /// The value on the scale, log10 on a log one; `None` for what has no place on it.
    pub(crate) fn forward(self, value: f64) -> Option<f64> {
        match self {
            Scale::Linear => (value.abs() <= 1e300).then_some(value),
            Scale::Log => (value > 0.0 && value.is_finite()).then(|| value.log10()),
        }
    }
}

/// An axis of a figure.
#[derive(Debug, Clone, Default)]
pub struct Axis {
    /// What is measured, in words, with its unit.
    pub label: String,
    /// How values lie along it.
    pub scale: Scale,
    /// Names of the values 0, 1, 2, …, if they stand for names; empty for numbers.
    pub categories: Vec<String>,
}

impl Axis {
    /// A linear axis.
    pub fn linear(label: impl Into<String>) -> Self {
        Self { label: label.into(), ..Self::default() }
    }

    /// A logarithmic axis.
    pub fn log(label: impl Into<String>) -> Self {
        Self { label: label.into(), scale: Scale::Log, ..Self::default() }
    }

    /// An axis of names: the values 0, 1, 2, … stand for them.
    pub fn of_names(label: impl Into<String>, names: Vec<String>) -> Self {
        Self { label: label.into(), categories: names, ..Self::default() }
    }
}

/// Checks that there is one value for each of at least `least` x `least` pairs of positions, and that these increase.
pub(crate) fn check_grid(
    title: &str,
    [xs, ys]: [&[f64]; 2],
    values: usize,
    least: usize,
    is_position: fn(f64) -> bool,
) -> Result<(), PlotError> {
    let (columns, rows) = (xs.len(), ys.len());
    if columns < least || rows < least || columns.checked_mul(rows) != Some(values) {
        return Err(PlotError::Grid { title: title.into(), columns, rows, values });
    }
    for (axis, line) in [("x", xs), ("y", ys)] {
        let fits = |i: usize| is_position(line[i]) && (i == 0 || line[i] > line[i - 1]);
        if let Some(index) = (0..line.len()).find(|&i| !fits(i)) {
            return Err(PlotError::GridLine { title: title.into(), axis, found: line[index].to_string(), index });
        }
    }
    Ok(())
}

/// Why a figure cannot be drawn.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // The messages say what the fields are.
pub enum PlotError {
    /// No point of the figure has a place on its axes.
    #[error(
        "the figure \"{title}\" has nothing to draw: expected at least one {expected}, found {found} points and none fits"
    )]
    Empty { title: String, expected: &'static str, found: usize },
    /// The lower and upper ends of a series are not one pair a point.
    #[error(
        "the series \"{label}\" has {points} points but {ends} pairs of lower and upper ends; expected one pair a point"
    )]
    Spread { label: String, points: usize, ends: usize },
    /// The values do not fill the grid of a figure.
    #[error(
        "the figure \"{title}\" needs a grid of at least 2 x 2 with one value a node; found {columns} columns, {rows} rows and {values} values"
    )]
    Grid { title: String, columns: usize, rows: usize, values: usize },
    /// The grid lines of a figure are not finite or do not increase.
    #[error("the figure \"{title}\" needs increasing finite {axis} positions; found {found} at place {index}")]
    GridLine { title: String, axis: &'static str, found: String, index: usize },
    /// The SVG could not be written.
    #[error("the figure could not be written as SVG: {reason}")]
    Svg { reason: String },
}
