#![doc = include_str!("../README.md")]

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
pub use metric::{CurveAxis, DependsOn, depends_on};
pub use page::*;
pub use plot::{
    Axis, ContourSlice, LinePlot, LossSlice, PhaseDiagram, PlotError, PointMarker, Scale, Series, SeriesStyle,
    SpectralDensity, Spread, VerticalLine, contour, four_digits, lines, number, phase, slice, spectral_density,
    with_error,
};
pub use run::Run;
pub use saltflat_record::{Field, Row, std_error, value};
pub use statistics::Difference;
pub use summary::{GroupSummary, ValueOrReason};
pub use tensorboard::{EventWriter, cut_back_events};
