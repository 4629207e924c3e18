//! Spectral density of the Hessian, and the implicit regularizer.

use saltflat_config::Section;
use saltflat_metrics::{
    Curvature, CurvatureOperator, Eigenvalue, Estimate, LabelNoiseScale, LanczosOptions, MetricError, Spectrum,
    SpectrumOptions, lanczos, regularizer, spectrum,
};
use saltflat_models::Vector;
use saltflat_random::Stream;
use saltflat_record::metric::{self, Group};
use serde::Serialize;

use super::{
    context::{Cost, MeasurementContext, MetricGroup},
    sizes::{LANCZOS_PRODUCTS, MeasurementSizes},
};

/// β of the second regularizer that is always reported.
const MOMENTUM: f64 = 0.9;

/// `metrics.spectrum`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SpectrumConfig {
    /// Probes of the quadrature; default 8.
    pub probes: usize,
    /// Lanczos steps of a probe; default 60.
    pub steps: usize,
    /// Eigenvalues at the top that are taken out of the probes and counted exactly; default 5.
    pub deflate: usize,
    /// In multiples of the section's schedule; default 1.
    pub every: u64,
}

impl SpectrumConfig {
    pub(crate) fn read(section: &mut Section) -> Self {
        let default = SpectrumOptions::default();
        Self {
            probes: section.count("probes").unwrap_or(default.probes),
            steps: section.optional("steps", "a whole number above 1", |n| *n > 1).unwrap_or(default.steps),
            deflate: section.get("deflate").unwrap_or(5),
            every: section.count("every").unwrap_or(1),
        }
    }

    /// Products of the quadratures, and of the search for the eigenvalues that are taken out of them, a guess.
    fn expected_products(&self) -> usize {
        self.probes.saturating_mul(self.steps).saturating_add(LANCZOS_PRODUCTS.saturating_mul(self.deflate))
    }

    /// The spectrum, and its eigenvectors that converged.
    fn deflated_spectrum(
        &self,
        context: &MeasurementContext<'_>,
        operator: &CurvatureOperator<'_>,
    ) -> Result<(Spectrum, Vec<Vector>), MetricError> {
        let memory = context.memory.vectors;
        let mut deflated: Vec<(f64, Vector)> = Vec::new();
        if self.deflate > 0 {
            let options = LanczosOptions { largest: self.deflate, smallest: 0, memory, ..LanczosOptions::default() };
            let found = lanczos(operator, &options, &context.eigenvectors, context.key(Stream::Eigenvalue))?;
            let converged =
                |(eigenvalue, vector): (Eigenvalue, Vector)| eigenvalue.converged.then_some((eigenvalue.value, vector));
            deflated = found.largest.into_iter().zip(found.largest_vectors).filter_map(converged).collect();
        }
        let options = SpectrumOptions { probes: self.probes, steps: self.steps, memory };
        let found = spectrum(operator, &options, &deflated, context.key(Stream::Spectrum))?;
        Ok((found, deflated.into_iter().map(|(_, vector)| vector).collect()))
    }
}

impl MetricGroup for SpectrumConfig {
    fn group(&self) -> &'static Group {
        &metric::SPECTRUM
    }

    fn cost(&self, sizes: &MeasurementSizes) -> f64 {
        self.expected_products() as f64 * 8.0 / 3.0 * sizes.subset as f64
    }

    fn repetitions(&self) -> usize {
        self.expected_products()
    }

    fn with_repetitions(&self, count: usize) -> Box<dyn MetricGroup> {
        let steps = self.steps.min(count.max(2));
        Box::new(Self { probes: self.probes.min((count / steps).max(1)), steps, deflate: 0, ..self.clone() })
    }

    fn measure(&self, context: &mut MeasurementContext<'_>) -> Result<Cost, MetricError> {
        let operator = context.operator(Curvature::Hessian);
        let found = self.deflated_spectrum(context, &operator);
        let cost = Cost::of(&operator);
        let (lr, momentum) = (context.training.lr, context.training.momentum);
        let momenta = [MOMENTUM, momentum].into_iter().filter(|beta| *beta > 0.0);
        let (found, eigenvectors) = match found {
            Ok(found) => found,
            Err(error) => {
                let reason = error.absence()?;
                context.put_absent(metric::SPECTRUM.metrics, &reason);
                momenta.for_each(|beta| context.put_at(&metric::REGULARIZER_MOMENTUM, beta, Estimate::absent(&reason)));
                context.eigenvectors.clear();
                return Ok(cost);
            }
        };
        context.eigenvectors = eigenvectors;
        let largest = context.largest.unwrap_or(f64::NEG_INFINITY);
        let plain = regularizer(&found, largest, lr, 0.0);
        context.put(&metric::REGULARIZER, &plain.value);
        context.put(&metric::REGULARIZER_SERIES, &plain.series);
        for beta in momenta {
            context.put_at(&metric::REGULARIZER_MOMENTUM, beta, regularizer(&found, largest, lr, beta).value);
        }
        let of_run = regularizer(&found, largest, lr, momentum).value;
        context.put(&metric::REGULARIZER_PER_CURVATURE, per_curvature(of_run, context));
        context.put(&metric::SPECTRAL_DENSITY, found);
        Ok(cost)
    }
}

/// R(θ) of classification losses from that of α = 1. It needs the Hessian of the loss that the noise belongs to.
fn per_curvature(regularizer: Estimate, context: &MeasurementContext<'_>) -> Estimate {
    match context.training.label_noise.clone().and_then(LabelNoiseScale::alpha) {
        Ok(_) if !context.training.is_measured_loss_trained => {
            Estimate::absent("the measured loss is not the one that is trained with label noise")
        }
        Ok(alpha) => regularizer.times(1.0 / alpha),
        Err(reason) => Estimate::absent(reason),
    }
}
