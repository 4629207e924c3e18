//! Coherence, the Dexter bounds, and the exact linear stability of SGD.

use std::sync::Arc;

use burn::tensor::DType;
use saltflat_config::Section;
use saltflat_metrics::{
    Estimate, MetricError,
    stability::{
        LinearDynamics, RowGram, Sampling, Solver, StabilityError, coherence, dexter_convergence_bound,
        dexter_divergence_bound, gram_eigenvalues,
    },
};
use saltflat_record::metric::{self, Group, Metric};
use serde::Serialize;

use super::{
    context::{Cost, MeasurementContext, MetricGroup},
    sizes::{MAX_GRAM_ROWS, MeasurementSizes},
};

/// `metrics.stability`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StabilityConfig {
    /// In multiples of the section's schedule; default 1.
    pub every: u64,
}

impl StabilityConfig {
    pub(crate) fn read(section: &mut Section) -> Self {
        Self { every: section.count("every").unwrap_or(1) }
    }
}

impl MetricGroup for StabilityConfig {
    fn group(&self) -> &'static Group {
        &metric::STABILITY
    }

    /// It takes the inner products of the alignment if that is on.
    fn cost(&self, sizes: &MeasurementSizes) -> f64 {
        if sizes.pairs.are_of_alignment { 0.0 } else { (sizes.outputs * sizes.pairs.samples) as f64 }
    }

    fn samples(&self, sizes: &MeasurementSizes) -> usize {
        sizes.pairs.samples.min(sizes.all)
    }

    fn repetitions(&self) -> usize {
        1
    }

    fn with_repetitions(&self, _count: usize) -> Box<dyn MetricGroup> {
        Box::new(self.clone())
    }

    fn prepare(&self, context: &mut MeasurementContext<'_>) -> Result<(), MetricError> {
        if context.sizes.pairs.are_of_alignment {
            context.measure_pairs()?;
        }
        Ok(())
    }

    fn measure(&self, context: &mut MeasurementContext<'_>) -> Result<Cost, MetricError> {
        let cost = context.measure_pairs()?;
        let gram = match row_gram(context) {
            Ok(gram) => Arc::new(gram),
            Err(reason) => {
                context.put_absent(metric::STABILITY.metrics, &reason);
                return Ok(cost);
            }
        };
        put_coherence(context, &gram)?;
        // All of it is of the training steps.
        match DYNAMICS.iter().all(|metric| context.absence_of(metric).is_some()) {
            true => context.put_absent(DYNAMICS, ""),
            false => put_dynamics(context, &gram)?,
        }
        Ok(cost)
    }
}

/// Inner products of the rows of the first subset, or why there are none.
fn row_gram(context: &MeasurementContext<'_>) -> Result<RowGram, String> {
    let gram = match context.pairs.first() {
        Some(Ok(pairs)) => pairs.row_gram().ok_or("needs every output; set metrics.alignment.signs to nothing")?,
        Some(Err(reason)) => return Err(reason.clone()),
        None => return Err("there is no sample".into()),
    };
    match gram.matrix.nrows() {
        rows if rows > MAX_GRAM_ROWS => {
            Err(format!("{rows} rows are too many, at most {MAX_GRAM_ROWS}: use fewer alignment samples"))
        }
        _ => Ok(gram),
    }
}

fn estimate(found: Result<f64, StabilityError>) -> Estimate {
    found.map_or_else(|reason| Estimate::absent(reason.to_string()), Estimate::exact)
}

/// None of the computations can ask whether it is to be given up: each runs in a thread of its own, while this one asks.
fn put_coherence(context: &mut MeasurementContext<'_>, gram: &Arc<RowGram>) -> Result<(), MetricError> {
    let (lr, batch, n) = (context.training.lr, context.sizes.batch_size, context.all.len());
    let (interrupt, shared) = (context.all.interrupt, || Arc::clone(gram));
    let of_sigma = shared();
    let sigma = interrupt.run(move || coherence(&of_sigma))?.map(|found| found.sigma);
    let m = gram.samples;
    let bound = |bound: fn(f64, usize, usize, f64) -> Result<f64, StabilityError>| {
        // σ grows with the number of samples in a way that some of them do not tell: no bound follows from a part.
        if m < n {
            return Err(StabilityError::Subset { measured: m, samples: n });
        }
        bound(sigma.clone()?, n, batch, lr)
    };
    let (divergence, convergence) = (bound(dexter_divergence_bound), bound(dexter_convergence_bound));
    let of_eigenvalues = shared();
    let eigenvalues = interrupt.run(move || gram_eigenvalues(&of_eigenvalues))?;
    context.put(&metric::GRAM_TOP_EIGENVALUE, estimate(eigenvalues.map(|values| values[0])));
    context.put(&metric::COHERENCE, estimate(sigma));
    context.put(&metric::DEXTER_BOUND, estimate(divergence));
    context.put(&metric::DEXTER_CONVERGENCE_BOUND, estimate(convergence));
    Ok(())
}

/// What [`put_dynamics`] records.
const DYNAMICS: &[&Metric] = &[
    &metric::GD_CRITICAL_LR,
    &metric::SGD_GROWTH,
    &metric::SGD_CRITICAL_LR,
    &metric::SGD_GROWTH_BERNOULLI,
    &metric::SGD_CRITICAL_LR_BERNOULLI,
];

/// The exact dynamics of the second moment, with threads as for the coherence.
fn put_dynamics(context: &mut MeasurementContext<'_>, gram: &Arc<RowGram>) -> Result<(), MetricError> {
    let (lr, batch, n) = (context.training.lr, context.sizes.batch_size, context.all.len());
    let precision = if context.point.theta.dtype() == DType::F64 { 1e-12 } else { 1e-6 };
    let (interrupt, of_dynamics) = (context.all.interrupt, Arc::clone(gram));
    let dynamics = interrupt.run(move || LinearDynamics::new(&of_dynamics, precision).map(Arc::new))?;
    context.put(&metric::GD_CRITICAL_LR, estimate(dynamics.clone().map(|dynamics| dynamics.gd_critical_lr())));
    for (sampling, growth, critical_lr) in [
        (Sampling::WithoutReplacement, &metric::SGD_GROWTH, &metric::SGD_CRITICAL_LR),
        (Sampling::Bernoulli, &metric::SGD_GROWTH_BERNOULLI, &metric::SGD_CRITICAL_LR_BERNOULLI),
    ] {
        let dynamics = dynamics.clone();
        let found = interrupt.run(move || dynamics?.stability(lr, sampling.noise(n, batch)?, &Solver::default()))?;
        match found {
            Ok(found) if found.converged => {
                context.put(growth, Estimate::exact(found.growth));
                context.put(critical_lr, Estimate::exact(found.critical_lr));
            }
            Ok(_) => context.put_absent(&[growth, critical_lr], "the power iteration did not converge"),
            Err(reason) => context.put_absent(&[growth, critical_lr], &reason.to_string()),
        }
    }
    Ok(())
}
