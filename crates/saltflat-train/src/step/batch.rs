//! The samples of one step.

use std::ops::Range;

use burn::tensor::Tensor;
use saltflat_data::{BatchSampling, Change};
use saltflat_models::{Pass, Vector};
use saltflat_random::{Key, Stream};

use crate::Plan;

/// The samples of one step, whose inputs and targets are uploaded a microbatch at a time. The augmentation and dropout are drawn
/// for the whole batch, so neither microbatches nor a second pass at another θ change them.
pub(crate) struct StepBatch<'a> {
    pub(crate) plan: &'a Plan,
    /// Steps made before.
    pub(crate) step: u64,
    pub(crate) indices: &'a [u32],
    /// What the sum over the samples is divided by: their number, or with Bernoulli sampling its expectation.
    pub(crate) divisor: usize,
    /// Of each image, if images are augmented.
    changes: Option<Vec<Change>>,
}

impl<'a> StepBatch<'a> {
    pub(crate) fn new(plan: &'a Plan, indices: &'a [u32], step: u64) -> Self {
        let config = &plan.config;
        let key = || Key::new(config.run.seed, Stream::Augmentation, step).part(0);
        let changes = config.data.augment.then(|| Change::draw(key(), indices.len()));
        let divisor = match config.optimizer.sampling {
            BatchSampling::Epoch | BatchSampling::Independent => indices.len(),
            BatchSampling::Bernoulli => plan.batch_size,
        };
        Self { plan, step, indices, divisor, changes }
    }

    /// Rows of the batch, a microbatch each.
    pub(crate) fn microbatches(&self) -> Vec<Range<usize>> {
        let (n, size) = (self.indices.len(), self.plan.microbatch());
        (0..n).step_by(size).map(|start| start..(start + size).min(n)).collect()
    }

    /// Inputs of these rows, `[rows, channels, height, width]`.
    pub(crate) fn inputs(&self, rows: Range<usize>) -> Tensor<4> {
        let changes = self.changes.as_ref().map(|changes| &changes[rows.clone()]);
        self.plan.train.inputs(&self.indices[rows], changes)
    }

    /// A pass of the training step over the samples from row `first` on. Every pass of a step has the same dropout, at any θ.
    pub(crate) fn training_pass<'p>(&self, theta: &'p Vector, buffers: &'p Vector, first: usize) -> Pass<'p> {
        let key = Key::new(self.plan.config.run.seed, Stream::Dropout, self.step);
        Pass::value(theta, buffers).training_with(key, first)
    }

    /// Targets of these rows on the device, `[rows, outputs]`, from those of the whole batch.
    pub(crate) fn upload(&self, targets: &[f32], rows: Range<usize>) -> Tensor<2> {
        let outputs = self.plan.network.outputs();
        self.plan.train.upload(&targets[rows.start * outputs..rows.end * outputs])
    }
}
