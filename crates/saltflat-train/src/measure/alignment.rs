//! The alignment of the gradient noise with the landscape, and what follows from it.

use saltflat_config::Section;
use saltflat_metrics::{
    Alignment, Estimate, ExpectedLabelNoise, GramRows, MetricError, Pairs, expected_label_noise, feature_norms,
    noise_eigenvalues, wu_bound, wu_bound_mu1, wu_growth_bound,
};
use saltflat_record::metric::{self, Group};
use serde::Serialize;

use super::{
    context::{Cost, MeasurementContext, MetricGroup},
    sizes::{MAX_GRAM_ROWS, MeasurementSizes, PairsOptions},
};

const NOISE_EIGENVALUES: usize = 5;

/// `metrics.alignment`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AlignmentConfig {
    /// Samples of one subset, of the split that is measured, the same at every measurement; default 50.
    pub samples: usize,
    /// Disjoint subsets; default 1.
    pub subsets: usize,
    /// Random sums of a sample's outputs in place of all of them; default none up to ten outputs, 8 beyond.
    pub signs: Option<usize>,
    /// Also χᵢ / mean χ of every sample, each subset relative to its own mean; default false.
    pub feature_norms: bool,
    /// In multiples of the section's schedule; default 1.
    pub every: u64,
}

impl AlignmentConfig {
    pub(crate) fn read(section: &mut Section) -> Self {
        let default = PairsOptions::default();
        Self {
            samples: section.optional("samples", "a whole number above 1", |n| *n > 1).unwrap_or(default.samples),
            subsets: section.count("subsets").unwrap_or(default.subsets),
            signs: section.optional("signs", "a whole number above 1", |n| *n > 1),
            feature_norms: section.get("feature_norms").unwrap_or(false),
            every: section.count("every").unwrap_or(1),
        }
    }
}

impl MetricGroup for AlignmentConfig {
    fn group(&self) -> &'static Group {
        &metric::ALIGNMENT
    }

    /// A gradient for each output; the inner products are not counted.
    fn cost(&self, sizes: &MeasurementSizes) -> f64 {
        let rows = self.signs.map_or(sizes.outputs as f64, |signs| signs as f64 + 1.0);
        rows * sizes.pairs.samples as f64 * sizes.pairs.subsets as f64
    }

    fn samples(&self, sizes: &MeasurementSizes) -> usize {
        sizes.pairs.samples.min(sizes.all)
    }

    fn repetitions(&self) -> usize {
        self.subsets
    }

    fn with_repetitions(&self, _count: usize) -> Box<dyn MetricGroup> {
        Box::new(self.clone())
    }

    fn measure(&self, context: &mut MeasurementContext<'_>) -> Result<Cost, MetricError> {
        let cost = context.measure_pairs()?;
        let found = self.put_alignment(context)?;
        let (n, batch, training) = (context.all.len(), context.sizes.batch_size, &context.training);
        let (lr, momentum) = (training.lr, training.momentum);
        context.put(&metric::WU_BOUND_FROBENIUS, wu_bound(&found.mu, n, batch, lr));
        context.put(&metric::WU_BOUND_FROBENIUS_MU1, wu_bound_mu1(&found.mu1, n, batch, lr, momentum));
        context.put(&metric::WU_GROWTH_BOUND, wu_growth_bound(&found, n, batch, lr));
        let of_subset = |pairs: &Result<Pairs, String>| match pairs {
            Ok(pairs) => expected_label_noise(pairs, n),
            Err(reason) => ExpectedLabelNoise::absent(reason),
        };
        let noise: Vec<_> = context.pairs.iter().map(of_subset).collect();
        let mean =
            |of: fn(&ExpectedLabelNoise) -> &Estimate| Estimate::of_subsets(&noise.iter().map(of).collect::<Vec<_>>());
        context.put(&metric::FLIP_NOISE_SQ, mean(|noise| &noise.flip_noise_sq));
        context.put(&metric::TRACE_FROM_NOISE_EXPECTED, mean(|noise| &noise.trace_from_noise_expected));
        if let Some(Ok(pairs)) = context.pairs.first()
            && pairs.samples() <= MAX_GRAM_ROWS
        {
            let eigenvalues = match noise_eigenvalues(pairs, NOISE_EIGENVALUES, context.all.interrupt) {
                Ok(eigenvalues) => eigenvalues.into_iter().map(Estimate::exact).collect(),
                Err(error) => vec![Estimate::absent(error.absence()?)],
            };
            context.put(&metric::NOISE_TOP_EIGENVALUES, eigenvalues);
        }
        Ok(cost)
    }
}

impl AlignmentConfig {
    /// Records α, β, μ, what they are made of, and the feature norms.
    fn put_alignment(&self, context: &mut MeasurementContext<'_>) -> Result<Alignment, MetricError> {
        let rows = GramRows::of(context.all.loss.kind);
        let of_subset = |pairs: &Result<Pairs, String>| match pairs {
            Ok(pairs) => Alignment::new(pairs),
            Err(reason) => Alignment::absent(rows, 0, reason),
        };
        let all: Vec<_> = context.pairs.iter().map(of_subset).collect();
        let found = Alignment::mean(&all).unwrap_or_else(|| Alignment::absent(rows, 0, "there is no sample"));
        for (metric, estimate) in [
            (&metric::TRACE_GRAM, &found.trace_gram),
            (&metric::GRAM_FROBENIUS, &found.gram_frobenius),
            (&metric::TRACE_NOISE, &found.trace_noise),
            (&metric::NOISE_FROBENIUS, &found.noise_frobenius),
            (&metric::TRACE_GRAM_NOISE, &found.trace_gram_noise),
            (&metric::ALPHA, &found.alpha),
            (&metric::BETA, &found.beta),
            (&metric::MU, &found.mu),
            (&metric::MU1, &found.mu1),
            (&metric::MU2, &found.mu2),
            (&metric::CHI_MIN_OVER_MEAN, &found.chi_min_over_mean),
        ] {
            context.put(metric, estimate);
        }
        if self.feature_norms {
            let norms: Result<Vec<Vec<f64>>, _> = context.pairs.iter().flatten().map(feature_norms).collect();
            match norms {
                Ok(norms) => context.put(&metric::FEATURE_NORMS, norms.concat()),
                Err(error) => context.put(&metric::FEATURE_NORMS, Estimate::absent(error.absence()?)),
            }
        }
        Ok(found)
    }
}
