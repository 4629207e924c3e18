#![doc = include_str!("../README.md")]

mod error;
mod export;
mod flat_config;
mod identity;
mod measured_loss;
mod metric;
mod over;
mod page;
mod plot;
mod run;
mod run_labels;
pub mod statistics;
mod summary;
mod tensorboard;

pub use error::ReportError;
pub use export::{csv, json};
pub use identity::distinct;
pub use measured_loss::{KnownLoss, MeasuredLoss};
pub use metric::{DependsOn, depends_on};
pub use over::Over;
pub use page::{
    AnyFigure, Bound, CommonKeys, Correlation, Curves, Drawing, FIGURES, Figure, FinalValues, Finding, Group, Name,
    Page, Phase, Reference, Samples, Source, Spectra, html, parse_figures, read_figure,
};
pub use plot::{
    Axis, ContourSlice, LinePlot, Look, LossSlice, Mark, Marker, PhaseDiagram, PlotError, Scale, Series,
    SpectralDensity, Spread, contour, lines, number, phase, slice, spectral_density, with_error,
};
pub use run::Run;
pub use run_labels::label_by_differences;
pub use saltflat_record::{Field, Row, std_error, value};
pub use statistics::Difference;
pub use summary::{GroupSummary, Known};
pub use tensorboard::{EventWriter, cut_back_events};
