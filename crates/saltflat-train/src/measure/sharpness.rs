//! Curvature along gradients and updates.

use saltflat_config::Section;
use saltflat_metrics::{MetricError, sharpness};
use saltflat_random::Stream;
use saltflat_record::metric::{self, Group};
use serde::Serialize;

use super::{
    context::{Cost, MeasurementContext, MetricGroup},
    sizes::{MeasuredSplit, MeasurementSizes},
};

/// `metrics.sharpness`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SharpnessConfig {
    /// Random batches of `optimizer.batch_size`; default 20.
    pub batches: usize,
    /// In multiples of the section's schedule; default 1.
    pub every: u64,
}

impl SharpnessConfig {
    pub(crate) fn read(section: &mut Section) -> Self {
        Self { batches: section.count("batches").unwrap_or(20), every: section.count("every").unwrap_or(1) }
    }
}

impl MetricGroup for SharpnessConfig {
    fn group(&self) -> &'static Group {
        &metric::SHARPNESS
    }

    fn cost(&self, sizes: &MeasurementSizes) -> f64 {
        self.batches as f64 * sizes.batch_size as f64 * 8.0 / 3.0 + sizes.subset as f64 * (1.0 + 10.0 / 3.0)
    }

    fn repetitions(&self) -> usize {
        self.batches
    }

    fn with_repetitions(&self, count: usize) -> Box<dyn MetricGroup> {
        Box::new(Self { batches: self.batches.min(count), ..self.clone() })
    }

    fn measure(&self, context: &mut MeasurementContext<'_>) -> Result<Cost, MetricError> {
        let (n, batch) = (context.all.len(), context.sizes.batch_size);
        // Batches are those of training steps; curvature along the gradient and the last update is of any samples.
        let batches = match context.split {
            MeasuredSplit::Train => self.batches,
            MeasuredSplit::Test => 0,
        };
        let (point, key) = (context.point, context.key(Stream::BatchSample));
        let found = sharpness(&context.subset, point.theta, point.update, n, batch, batches, key)?;
        context.put(&metric::BATCH_SHARPNESS, &found.batch_sharpness);
        context.put(&metric::GRADIENT_SNR, &found.gradient_snr);
        context.put(&metric::SHARPNESS_ALONG_GRADIENT, &found.along_gradient);
        context.put(&metric::SHARPNESS_ALONG_UPDATE, &found.along_update);
        let of_batches = batches as f64 * batch as f64 * (1.0 + 5.0 / 3.0);
        let gradients = 1.0 + 10.0 / 3.0 + of_batches / context.subset.len().max(1) as f64;
        Ok(Cost { gradients, products: batches + 2, ..Cost::default() })
    }
}
