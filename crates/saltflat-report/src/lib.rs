//! Figures of loss surfaces and curvature, as SVG text, and pages that compare runs.
//!
//! A [`Page`] holds [`Run`]s read from their folders and the [`Figure`]s to draw of them; [`html`](fn@html) writes it as one
//! file, [`csv`] and [`json`] write its numbers. Seeds of one group stand together: medians with bands, means with standard
//! errors ([`statistics`]), differences from a baseline paired by seed ([`Difference`]), between groups that were measured on
//! one loss ([`MeasuredLoss`]). A run that is given twice counts once ([`distinct`]).
//!
//! Beneath lie the figures. Each function takes a plain struct and returns the SVG of one figure, 720 x 440 pixels: [`lines`] for series on two
//! axes, [`slice`](fn@slice) for the loss along a direction, [`contour`](fn@contour) for the loss over two directions and
//! [`spectral_density`] for the eigenvalues of a
//! Hessian, [`phase`](fn@phase) for a value over two axes. Equal input gives equal bytes. Points that are not finite, or
//! not positive on a logarithmic axis, are left out. Text may be anything; it is cut to its room and escaped. The
//! figures name the viewer's sans-serif faces and load no font.
//!
//! ```
//! use saltflat_report::{Axis, LinePlot, Series, lines};
//!
//! let svg = lines(&LinePlot {
//!     title: "Trace of the Hessian".into(),
//!     x: Axis::linear("epoch"),
//!     y: Axis::log("trace of the Hessian"),
//!     series: vec![Series::line("label noise", vec![(0.0, 120.0), (1.0, 40.0), (2.0, 15.0)])],
//!     ..LinePlot::default()
//! })?;
//! assert!(svg.starts_with("<svg"));
//! # Ok::<(), saltflat_report::PlotError>(())
//! ```

mod axis;
mod canvas;
mod contour;
mod density;
mod error;
mod export;
mod figure;
mod figures;
mod flat_config;
mod header;
mod html;
mod identity;
mod isolines;
mod labels;
mod lines;
mod measured_loss;
mod metric;
mod names;
mod number;
mod over;
mod page;
mod paired;
mod panel;
mod phase;
mod run;
mod run_labels;
mod slice;
pub mod statistics;
mod student;
mod style;
mod summary;
mod tensorboard;

pub use axis::{Axis, Scale};
pub use contour::{ContourSlice, contour};
pub use density::{SpectralDensity, spectral_density};
pub use error::PlotError;
pub use export::{csv, json};
pub use figure::{Drawing, Figure};
pub use figures::{Bound, Correlation, Curves, Final, Phase, Reference, Samples, Spectra};
pub use html::html;
pub use identity::distinct;
pub use lines::{LinePlot, Look, Series, Spread, lines};
pub use measured_loss::{KnownLoss, MeasuredLoss};
pub use metric::{DependsOn, depends_on};
pub use names::Name;
pub use number::{number, with_error};
pub use over::Over;
pub use page::{Finding, Group, Page, Source};
pub use paired::Difference;
pub use phase::{PhaseDiagram, phase};
pub use run::Run;
pub use run_labels::label_by_differences;
pub use saltflat_record::{Field, Row, std_error, value};
pub use slice::{LossSlice, slice};
pub use summary::{GroupSummary, Known};
pub use tensorboard::{EventWriter, cut_back_events};

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
