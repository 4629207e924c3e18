//! What a measurement costs, and how it keeps within its memory.

use saltflat_metrics::Samples;

use crate::{Plan, config::MetricsConfig};

/// Copies of every activation that a Hessian-vector product holds at its peak: values and first coefficients, kept for the
/// backward pass (measured: 1.5 on VGG-11, 2.2 on ResNet-18, whose layers between two activations are counted too).
const KEPT: usize = 3;
/// Copies of the largest activation that a pass of quadratic forms holds, for the values and for each direction.
const PASSING: usize = 8;

/// How a memory limit is shared out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Samples of one pass.
    pub microbatch: usize,
    /// Directions of one pass of quadratic forms.
    pub together: usize,
    /// Bytes for vectors in parameter space: Lanczos bases and sketches.
    pub vectors: usize,
    /// Bytes for the cotangents of a Gram matrix.
    pub cotangents: usize,
}

impl Memory {
    /// A quarter of the limit for the activations of a pass, the rest for what is kept beside it: vectors, or cotangents and
    /// what their inner products need.
    pub fn new(plan: &Plan, config: &MetricsConfig) -> Self {
        let limit = config.memory_limit << 20;
        let (all, largest) = plan.network.activations();
        let size = plan.dtype.size();
        let n = config.samples.map_or(plan.train.len(), |samples| samples.min(plan.train.len()));
        // A subset is walked in at least eight microbatches, so that their spread tells the subset's error.
        let parts = if n < plan.train.len() { 8 } else { 1 };
        let fits = (limit / 4 / (all * size * KEPT).max(1)).max(1);
        let microbatch = config.microbatch.min(fits).min(n.div_ceil(parts)).max(1);
        let per_direction = largest * size * PASSING * microbatch;
        let together = (limit / 4 / per_direction.max(1)).saturating_sub(1).clamp(1, 4);
        Self { microbatch, together, vectors: limit / 4 * 3, cotangents: limit / 2 }
    }
}

/// What one measurement costs, in gradients of one sample: a forward pass is a third, a Hessian-vector product 8/3, a
/// quadratic form 5/3 and less, the alignment a gradient for each output (its inner products not counted). The number of
/// Lanczos products is a guess: eight an eigenvalue.
pub fn measurement_cost(plan: &Plan, config: &MetricsConfig) -> f64 {
    let (n, test) = (plan.train.len() as f64, plan.test.as_ref().map_or(0, Samples::len) as f64);
    let subset = config.samples.map_or(n, |samples| (samples as f64).min(n));
    let evaluate = if config.evaluate { (n + test) / 3.0 + subset } else { 0.0 };
    let probe = |frobenius: bool, product: f64, form: f64| if frobenius { product } else { form };
    let trace = config.trace.as_ref().map_or(0.0, |c| c.probes as f64 * probe(c.frobenius, 8.0 / 3.0, 4.25 / 3.0));
    let ggn = config.gauss_newton.as_ref().map_or(0.0, |c| c.probes as f64 * probe(c.frobenius, 5.0 / 3.0, 2.25 / 3.0));
    let eigenvalues =
        config.eigenvalues.as_ref().map_or(0.0, |c| (8 * (c.largest + c.smallest)).min(c.products) as f64);
    let spectrum = config.spectrum.as_ref().map_or(0.0, |c| (c.probes * c.steps + 8 * c.deflate) as f64);
    let products = (eigenvalues + spectrum) * 8.0 / 3.0;
    let outputs = plan.network.outputs() as f64;
    let pairs = match (&config.alignment, &config.stability) {
        (Some(c), _) => c.signs.map_or(outputs, |s| s as f64 + 1.0) * (c.samples * c.subsets) as f64,
        (None, Some(_)) => outputs * 50.0,
        (None, None) => 0.0,
    };
    let sharpness = config
        .sharpness
        .as_ref()
        .map_or(0.0, |c| (c.batches * plan.batch_size) as f64 * 8.0 / 3.0 + subset * (1.0 + 10.0 / 3.0));
    let strength = match &config.noise_strength {
        Some(strength) => {
            let measured = plan.config.noise.iter().filter(|one| one.noise.noise().randomises_targets()).count();
            measured as f64 * n / strength.every_steps.max(1) as f64
        }
        None => 0.0,
    };
    evaluate + (trace + ggn + products) * subset + pairs + sharpness + strength
}
