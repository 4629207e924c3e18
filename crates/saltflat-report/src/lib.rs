//! Figures of loss surfaces and curvature, as SVG text, and pages that compare runs.
//!
//! # Start here
//!
//! * To compare runs, read their folders ([`Run::read`]), put them into a [`Page`], and write it with [`html`](fn@html) as one file,
//!   or its numbers with [`csv`](fn@csv) and [`json`]. [`Page::default_figures`] draws what was measured;
//!   [`Curves`], [`Correlation`], [`FinalValues`], [`Bound`], [`Spectra`], [`Phase`] and [`Samples`] are the kinds of figures to choose
//!   from, and [`read_figure`] reads one from TOML.
//! * To draw numbers, call one of [`lines`] (series on two axes), [`slice`](fn@slice) (the loss along a direction), [`contour`] (the
//!   loss over two directions), [`spectral_density`] (the eigenvalues of a Hessian) and [`phase`](fn@phase) (a value over two axes)
//!   with its struct. Nothing is read or written.
//!
//! Seeds of one group stand together: medians with bands, means with standard errors ([`statistics`]), differences from a baseline
//! paired by seed ([`Difference`]), between groups that were measured on one loss ([`MeasuredLoss`]). A run that is given twice counts
//! once ([`distinct`]).
//!
//! ```
//! use saltflat_report::{Axis, Curves, LinePlot, Page, Run, Series, html, lines};
//!
//! // A figure of numbers.
//! let trace = vec![(0.0, 120.0), (1.0, 40.0), (2.0, 15.0)];
//! let svg = lines(&LinePlot {
//!     title: "Trace of the Hessian".into(),
//!     x: Axis::linear("epoch"),
//!     y: Axis::log("trace of the Hessian"),
//!     series: vec![Series::line("label noise", trace.clone())],
//!     ..LinePlot::default()
//! })?;
//! assert!(svg.starts_with("<svg"));
//!
//! // A page of a run. Its folder is read by `Run::read`; here it is made by hand.
//! let row = |(epoch, value): (f64, f64)| {
//!     let row = serde_json::json!({ "kind": "measurement", "epoch": epoch, "metrics": { "trace_hessian": { "value": value } } });
//!     serde_json::from_value(row).unwrap()
//! };
//! let run = Run { name: "first".into(), measurements: trace.into_iter().map(row).collect(), ..Run::default() };
//! let page = Page { runs: vec![run], figures: vec![Curves::new("trace_hessian").into()], ..Page::default() };
//! let text = html(&page);
//! assert!(text.starts_with("<!DOCTYPE html>") && text.contains("<h2>Figures</h2>"));
//! # Ok::<(), saltflat_report::PlotError>(())
//! ```

mod error;
mod export;
mod flat_config;
mod identity;
mod measured_loss;
mod metric;
mod page;
mod plot;
mod run;
pub mod statistics;
mod summary;
mod tensorboard;

pub use error::ReportError;
pub use export::{csv, json};
pub use identity::{distinct, label_by_differences};
pub use measured_loss::{KnownLoss, MeasuredLoss};
pub use metric::{DependsOn, Over, depends_on};
pub use page::*;
pub use plot::{
    Axis, ContourSlice, LinePlot, Look, LossSlice, Mark, Marker, PhaseDiagram, PlotError, Scale, Series,
    SpectralDensity, Spread, contour, four_digits, lines, number, phase, slice, spectral_density, with_error,
};
pub use run::Run;
pub use saltflat_record::{Field, Row, std_error, value};
pub use statistics::Difference;
pub use summary::{GroupSummary, Known};
pub use tensorboard::{EventWriter, cut_back_events};
