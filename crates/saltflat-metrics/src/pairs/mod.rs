//! Inner products over pairs of samples, from which all invariants of G and Σ follow.

mod products;

use burn::tensor::Tensor;
use products::Host;
pub use products::{GramRows, Outputs, Pairs};
use saltflat_models::{GramChunks, Vector, gram_with, jacobian_gram};
use saltflat_random::Key;

use crate::{MetricError, Objective, error::read};

/// The inner products of some samples, or why there are none.
pub enum MeasuredPairs {
    /// They were measured.
    Available(Box<Pairs>),
    /// The reason: a network that couples its samples, no sample, or not enough memory.
    Unavailable(String),
}

impl MeasuredPairs {
    /// As a result whose error is the reason.
    ///
    /// # Errors
    /// The reason.
    pub fn into_result(self) -> Result<Pairs, String> {
        match self {
            Self::Available(pairs) => Ok(*pairs),
            Self::Unavailable(reason) => Err(reason),
        }
    }
}

impl Pairs {
    /// Measures them on the objective's samples, a microbatch at a time. `memory` bounds the bytes that layers keep of the
    /// cotangents at a time; the inner products on the host may take twice as many. Inner products that do not fit
    /// are unavailable. Batch normalisation uses its running statistics, with which a sample has a gradient of its own.
    ///
    /// # Errors
    /// [`MetricError::Device`] if the numbers cannot be read, and [`MetricError::Interrupted`].
    pub fn measure(
        objective: &Objective<'_>,
        theta: &Vector,
        outputs: Outputs,
        memory: usize,
        key: Key,
    ) -> Result<MeasuredPairs, MetricError> {
        if objective.is_empty() {
            return Ok(MeasuredPairs::Unavailable("there is no sample".into()));
        }
        let limit = memory.saturating_mul(2);
        let needed = bytes(objective.len(), objective.network.outputs(), outputs, theta.dtype().size());
        if needed > limit {
            let what = match outputs {
                Outputs::Exact => format!("the inner products of {} samples", objective.len()),
                Outputs::RandomSums(draws) => format!("{draws} random sums of outputs of {} samples", objective.len()),
            };
            let what = format!("{what} with {} outputs each", objective.network.outputs());
            let error = MetricError::Memory { what, needed: needed >> 20, limit: limit >> 20 };
            return Ok(MeasuredPairs::Unavailable(error.to_string()));
        }
        let interrupt = objective.interrupt;
        let batch = objective.samples.batch(&objective.indices);
        let values = batch.inputs.clone().split(objective.microbatch.max(1), 0).into_iter();
        let values = values.map(|inputs| {
            interrupt.check()?;
            Ok(objective.network.value(theta, objective.buffers, inputs))
        });
        let values = Tensor::cat(values.collect::<Result<_, MetricError>>()?, 0);
        let chunks = GramChunks { microbatch: objective.microbatch, bytes: memory };
        let host = Host {
            objective,
            n: objective.len(),
            classes: objective.network.outputs(),
            outputs: read("alignment", values)?,
            targets: read("alignment", batch.targets)?,
            dtype: theta.dtype(),
        };
        let pairs = match outputs {
            Outputs::Exact => {
                let check = || interrupt.check();
                let kernel = jacobian_gram(objective.network, theta, objective.buffers, &batch.inputs, chunks, &check)?;
                host.exact(&read("alignment", kernel)?)?
            }
            Outputs::RandomSums(draws) => {
                let draws = draws.max(2);
                let (network, buffers, check) = (objective.network, objective.buffers, || interrupt.check());
                let cotangents = host.cotangents(draws, key, &batch.inputs)?;
                let kernel = gram_with(network, theta, buffers, &batch.inputs, &cotangents, chunks, &check)?;
                host.by_signs(draws, &read("alignment", kernel)?)?
            }
        };
        Ok(MeasuredPairs::Available(Box::new(pairs)))
    }
}

/// Bytes that the inner products of n samples with C outputs take at their peak, beside what the layers keep: the kernel as it
/// is read (f64), what is made of it, and the cotangents on the device in numbers of `size` bytes.
fn bytes(n: usize, classes: usize, outputs: Outputs, size: usize) -> usize {
    let product = |all: &[usize]| all.iter().fold(1usize, |all, &x| all.saturating_mul(x));
    let list = size_of::<Vec<f64>>();
    let parts = match outputs {
        Outputs::Exact => [
            product(&[n, classes, n, classes, 16]),
            product(&[n, n, 16 + list + classes.saturating_mul(8)]),
            // The roots of Aᵢ, and the unit vectors.
            product(&[n, classes, classes, 8 + size]),
        ],
        Outputs::RandomSums(draws) => [
            product(&[n, draws.saturating_add(1), n, draws.saturating_add(1), 8 + size]),
            product(&[n, n, 16 + list + draws.saturating_mul(8)]),
            product(&[draws.saturating_add(2), n, classes, size]).saturating_add(product(&[classes, classes, 16])),
        ],
    };
    parts.into_iter().fold(0, usize::saturating_add)
}
