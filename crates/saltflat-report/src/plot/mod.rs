//! Draws figures: numbers in, SVG text out.
//!
//! Each function takes a plain struct and returns the SVG of one figure, 720 x 440 pixels. Equal input gives equal bytes. Points that
//! are not finite, or not positive on a logarithmic axis, are left out. Text may be anything; it is cut to the space that it has and
//! escaped. The figures name the viewer's sans-serif faces and load no font. Nothing here knows of runs or pages.

mod axis;
mod canvas;
mod color_bar;
mod contour;
mod density;
mod draw_series;
mod error;
mod grid;
mod header;
mod isolines;
mod labels;
mod lines;
mod number;
mod panel;
mod phase;
mod polyline;
mod range;
mod series;
mod slice;
mod style;
mod text;

pub use axis::{Axis, Scale};
pub use contour::{ContourSlice, contour};
pub use density::{SpectralDensity, spectral_density};
pub use error::PlotError;
pub use lines::{LinePlot, lines};
pub(crate) use number::{interval, p_value};
pub use number::{number, with_error};
pub use phase::{PhaseDiagram, phase};
pub use series::{Look, Mark, Marker, Series, Spread};
pub use slice::{LossSlice, slice};
pub(crate) use style::{FINE_GRID, GRID, INK, PALETTE, SOFT, WHITE, group_style};
pub(crate) use text::{single_line, xml_char};
