//! The events of a run, and what is saved of it.

use saltflat_models::Vector;
use saltflat_record::{EpochRow, MeasurementRow, Progress};

use crate::{MeasuredVectors, Plan, TrainError, state::TensorMap};

/// Receives the events of a run. An array of observers is an observer that passes every event to each in turn:
///
/// ```
/// use saltflat_train::{EpochRow, Observer, TrainError};
///
/// /// Counts epochs.
/// #[derive(Default)]
/// struct Epochs(u64);
///
/// impl Observer for Epochs {
///     fn epoch(&mut self, _row: &EpochRow) -> Result<(), TrainError> {
///         self.0 += 1;
///         Ok(())
///     }
/// }
///
/// let (mut one, mut other) = (Epochs::default(), Epochs::default());
/// let mut both: [&mut dyn Observer; 2] = [&mut one, &mut other];
/// both.step(1, 2);
/// ```
///
/// All methods do nothing unless they are implemented. The first error of an observer ends the run.
pub trait Observer {
    /// A step was made: of `of` steps in all. Called at every step; must be cheap.
    fn step(&mut self, _step: u64, _of: u64) {}
    /// A measurement starts.
    fn measurement_started(&mut self) {}
    /// An epoch ended.
    fn epoch(&mut self, _row: &EpochRow) -> Result<(), TrainError> {
        Ok(())
    }
    /// A measurement found vectors in parameter space, and `metrics.vectors` asks for their files. Its row comes next.
    fn vectors(&mut self, _plan: &Plan, _step: u64, _vectors: &MeasuredVectors) -> Result<(), TrainError> {
        Ok(())
    }
    /// A measurement was made.
    fn measurement(&mut self, _row: &MeasurementRow) -> Result<(), TrainError> {
        Ok(())
    }
    /// A checkpoint is due.
    fn checkpoint(&mut self, _snapshot: &Snapshot<'_>) -> Result<(), TrainError> {
        Ok(())
    }
}

/// Several observers, each told of every event in this order.
impl<const N: usize> Observer for [&mut dyn Observer; N] {
    fn step(&mut self, step: u64, of: u64) {
        self.iter_mut().for_each(|one| one.step(step, of));
    }

    fn measurement_started(&mut self) {
        self.iter_mut().for_each(|one| one.measurement_started());
    }

    fn epoch(&mut self, row: &EpochRow) -> Result<(), TrainError> {
        self.iter_mut().try_for_each(|one| one.epoch(row))
    }

    fn vectors(&mut self, plan: &Plan, step: u64, vectors: &MeasuredVectors) -> Result<(), TrainError> {
        self.iter_mut().try_for_each(|one| one.vectors(plan, step, vectors))
    }

    fn measurement(&mut self, row: &MeasurementRow) -> Result<(), TrainError> {
        self.iter_mut().try_for_each(|one| one.measurement(row))
    }

    fn checkpoint(&mut self, snapshot: &Snapshot<'_>) -> Result<(), TrainError> {
        self.iter_mut().try_for_each(|one| one.checkpoint(snapshot))
    }
}

/// A run at some step, with all from which it can be resumed: what an [`Observer`] is given to save.
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
