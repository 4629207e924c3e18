//! A group of metrics.

use saltflat_metrics::MetricError;
use saltflat_record::metric::Group;

use super::{
    context::{Cost, MeasurementContext},
    sizes::MeasurementSizes,
};

/// Metrics that are measured together, as `[metrics]` configures them. A group is one file of this folder, with the keys of its table
/// (`every`, its schedule, among them), and one line in the list of `config/metrics.rs`.
pub trait MetricGroup {
    /// Its name and its metrics.
    fn group(&self) -> &'static Group;

    /// Changes the settings that decide which metrics there are, if metrics are asked for by name; `is_asked` says which names are.
    fn select(&mut self, _is_asked: &dyn Fn(&str) -> bool) {}

    /// What it costs, in gradients of one sample: a forward pass is a third, a Hessian-vector product 8/3, a quadratic form 5/3 and
    /// less. The number of Lanczos products is a guess.
    fn cost(&self, sizes: &MeasurementSizes) -> f64;

    /// Samples on which it is measured.
    fn samples(&self, sizes: &MeasurementSizes) -> usize {
        sizes.subset
    }

    /// How often it is measured on its samples: probes, products, batches, subsets.
    fn repetitions(&self) -> usize;

    /// With at most so many repetitions, or the fewest with which it can be timed.
    fn with_repetitions(&self, count: usize) -> Box<dyn MetricGroup>;

    /// Measures what other groups would have measured before it.
    ///
    /// # Errors
    /// As [`measure`](Self::measure).
    fn prepare(&self, _context: &mut MeasurementContext<'_>) -> Result<(), MetricError> {
        Ok(())
    }

    /// Measures it and records the values; the time is taken by the caller.
    ///
    /// # Errors
    /// [`MetricError::Device`] if the device fails, and [`MetricError::Interrupted`].
    fn measure(&self, context: &mut MeasurementContext<'_>) -> Result<Cost, MetricError>;
}
