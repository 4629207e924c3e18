//! What is measured at a point: the groups of `[metrics]`, each with its cost.

mod alignment;
mod context;
mod eigenvalues;
mod evaluate;
mod measurer;
mod sharpness;
mod sizes;
mod spectrum;
mod stability;
mod timing;
mod trace;
mod vectors;

pub use alignment::AlignmentConfig;
pub(crate) use context::absence_on;
pub use context::{
    Cost, MeasuredVectors, Measurement, MeasurementContext, MeasurementPoint, MetricGroup, TrainingSettings,
};
pub use eigenvalues::EigenvaluesConfig;
pub(crate) use evaluate::Evaluate;
pub use measurer::{Measurer, curvature_subset, measurement_cost};
pub use sharpness::SharpnessConfig;
pub use sizes::{MeasuredSplit, MeasurementSizes, Memory, PairsOptions};
pub use spectrum::SpectrumConfig;
pub use stability::StabilityConfig;
pub(crate) use timing::seconds_by_group;
pub use trace::TraceConfig;
