//! Draws figures: numbers in, SVG text out.
//!
//! Each function takes a plain struct and returns the SVG of one figure, 720 x 440 pixels. Equal input gives equal bytes. Points that
//! are not finite, or not positive on a logarithmic axis, are left out. Text may be anything; it is cut to the space that it has and
//! escaped. The figures name the viewer's sans-serif faces and load no font. Nothing here knows of runs or pages.

mod canvas;
mod contour;
mod density;
mod elements;
mod isolines;
mod lines;
mod panel;
mod phase;
mod polyline;
mod range;
mod series;
mod style;
mod text;

pub use contour::{ContourSlice, contour};
pub use density::{SpectralDensity, spectral_density};
pub use lines::{LinePlot, LossSlice, lines, slice};
pub use phase::{PhaseDiagram, phase};
pub use series::{Axis, PlotError, PointMarker, Scale, Series, SeriesStyle, Spread, VerticalLine};
pub(crate) use style::{FINE_GRID, GRID, INK, PALETTE, SOFT, WHITE, group_style};
pub use text::{four_digits, number, with_error};
pub(crate) use text::{interval, p_value, single_line, xml_char};
