//! What is saved of a run.

use saltflat_models::Vector;
use saltflat_record::Progress;

use crate::{Plan, state::TensorMap};

/// A run at some step, with all from which it can be resumed: what an [`Observer`](crate::Observer) is given to save.
#[derive(Clone, Debug)]
pub struct Snapshot<'a> {
    /// What the run is.
    pub plan: &'a Plan,
    /// Steps made.
    pub step: u64,
    /// Epochs completed.
    pub epochs: u64,
    /// θ.
    pub theta: &'a Vector,
    /// The buffers: tensors that are stored with θ and not trained, such as running statistics.
    pub buffers: &'a Vector,
    pub(crate) progress: Progress,
    pub(crate) tensors: TensorMap,
}
