//! What a measurement costs, and how it keeps within its memory.

use saltflat_metrics::Samples;

use crate::{
    Plan,
    config::{EigenvaluesConfig, MetricsConfig, SpectrumConfig},
};

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
        let limit = config.memory_limit.saturating_mul(1 << 20);
        let (all, largest) = plan.network.activations();
        let size = plan.dtype.size();
        let n = Sizes::new(plan, config).subset;
        // A subset is walked in at least eight microbatches, so that their spread tells the subset's error.
        let parts = if n < plan.train.len() { 8 } else { 1 };
        let fits = (limit / 4 / all.saturating_mul(size * KEPT).max(1)).max(1);
        let microbatch = config.microbatch.min(fits).min(n.div_ceil(parts)).max(1);
        let per_direction = largest.saturating_mul(size * PASSING).saturating_mul(microbatch);
        let together = (limit / 4 / per_direction.max(1)).saturating_sub(1).clamp(1, 4);
        Self { microbatch, together, vectors: limit / 4 * 3, cotangents: limit / 2 }
    }
}

/// Numbers of samples that a measurement is made on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    /// On which loss and accuracy are.
    pub(super) train: usize,
    pub(super) test: usize,
    /// On which curvature is.
    pub(super) subset: usize,
}

impl Sizes {
    pub(super) fn new(plan: &Plan, config: &MetricsConfig) -> Self {
        let train = plan.train.len();
        let test = plan.test.as_ref().map_or(0, Samples::len);
        Self { train, test, subset: config.samples.map_or(train, |samples| samples.min(train)) }
    }
}

/// Products of a search for eigenvalues: a guess, eight an eigenvalue.
const PRODUCTS: usize = 8;

/// Products of the search that is configured, a guess.
pub(super) fn eigenvalue_products(config: &EigenvaluesConfig) -> usize {
    PRODUCTS.saturating_mul(config.largest.saturating_add(config.smallest)).min(config.products)
}

/// Products of the quadratures, and of the search for the eigenvalues that are taken out of them, a guess.
pub(super) fn spectrum_products(config: &SpectrumConfig) -> usize {
    config.probes.saturating_mul(config.steps).saturating_add(PRODUCTS.saturating_mul(config.deflate))
}

/// What one group costs, in gradients of one sample: a forward pass is a third, a Hessian-vector product 8/3, a quadratic form
/// 5/3 and less, the alignment a gradient for each output (its inner products not counted). The number of Lanczos products is a
/// guess.
pub(super) fn group_cost(plan: &Plan, config: &MetricsConfig, group: &str, sizes: Sizes) -> f64 {
    let (n, test, subset) = (sizes.train as f64, sizes.test as f64, sizes.subset as f64);
    let outputs = plan.network.outputs() as f64;
    let probe = |frobenius: bool, product: f64, form: f64| if frobenius { product } else { form };
    match group {
        "evaluate" => (n + test) / 3.0 + subset,
        "trace" => {
            config.trace.as_ref().map_or(0.0, |c| c.probes as f64 * probe(c.frobenius, 8.0 / 3.0, 4.25 / 3.0) * subset)
        }
        "gauss_newton" => config
            .gauss_newton
            .as_ref()
            .map_or(0.0, |c| c.probes as f64 * probe(c.frobenius, 5.0 / 3.0, 2.25 / 3.0) * subset),
        "eigenvalues" => {
            config.eigenvalues.as_ref().map_or(0.0, |c| eigenvalue_products(c) as f64 * 8.0 / 3.0 * subset)
        }
        "spectrum" => config.spectrum.as_ref().map_or(0.0, |c| spectrum_products(c) as f64 * 8.0 / 3.0 * subset),
        "alignment" => config
            .alignment
            .as_ref()
            .map_or(0.0, |c| c.signs.map_or(outputs, |s| s as f64 + 1.0) * c.samples as f64 * c.subsets as f64),
        // It takes the inner products of the alignment where that is on.
        "stability" if config.alignment.is_none() => outputs * config.alignment_samples() as f64,
        "sharpness" => config
            .sharpness
            .as_ref()
            .map_or(0.0, |c| c.batches as f64 * plan.batch_size as f64 * 8.0 / 3.0 + subset * (1.0 + 10.0 / 3.0)),
        _ => 0.0,
    }
}

/// What one measurement costs, in gradients of one sample: its groups, and the noise strength of the epoch's steps before it.
pub fn measurement_cost(plan: &Plan, config: &MetricsConfig) -> f64 {
    let sizes = Sizes::new(plan, config);
    let groups: f64 = config.groups().into_iter().map(|group| group_cost(plan, config, group, sizes)).sum();
    let strength = match &config.noise_strength {
        Some(strength) => {
            let measured = plan.config.noise.iter().filter(|one| one.noise.randomises_targets()).count();
            measured as f64 * sizes.train as f64 / strength.every_steps.max(1) as f64
        }
        None => 0.0,
    };
    groups + strength
}
