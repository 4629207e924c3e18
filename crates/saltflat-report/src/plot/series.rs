//! Series of points, and marks beside them.

use super::style::NO_GROUP;

/// A marked value of x: a vertical line with a label.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mark {
    /// The value.
    pub at: f64,
    /// Its name, such as `2/η = 20`.
    pub label: String,
}

/// A marked point with a label.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Marker {
    /// Position along the x axis.
    pub x: f64,
    /// Position along the y axis.
    pub y: f64,
    /// Its name; may be empty.
    pub label: String,
}

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
