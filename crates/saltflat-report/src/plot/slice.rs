//! The loss along one direction.

use super::axis::{Axis, Scale};
use super::error::PlotError;
use super::lines::{LinePlot, lines};
use super::series::{Marker, Series};

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
        markers: start.map(|y| Marker { x: 0.0, y, label: "t = 0".to_string() }).into_iter().collect(),
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
