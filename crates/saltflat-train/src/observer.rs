//! How a run tells what it does.

use saltflat_record::{EpochRow, MeasurementRow};

/// Receives what happens in a run. All methods do nothing unless implemented.
pub trait Observer {
    /// A step was made: of `of` steps in all. Called at every step; must be cheap.
    fn step(&mut self, _step: u64, _of: u64) {}
    /// A measurement starts.
    fn measuring(&mut self, _epoch: u64) {}
    /// An epoch ended.
    fn epoch(&mut self, _row: &EpochRow) -> Result<(), crate::TrainError> {
        Ok(())
    }
    /// A measurement was made.
    fn measurement(&mut self, _row: &MeasurementRow) -> Result<(), crate::TrainError> {
        Ok(())
    }
    /// A checkpoint is due.
    fn checkpoint(&mut self, _trainer: &crate::Trainer<'_>) -> Result<(), crate::TrainError> {
        Ok(())
    }
    /// Something that a person should know.
    fn message(&mut self, _text: &str) {}
}
