//! A run folder as an observer of the run.

use crate::{EpochRow, MeasurementRow, Observer, RunFolder, Snapshot, TrainError};

/// Keeps the rows and the checkpoints of a run.
impl Observer for &RunFolder {
    fn epoch(&mut self, row: &EpochRow) -> Result<(), TrainError> {
        self.append("epoch", row)
    }

    fn measurement(&mut self, row: &MeasurementRow) -> Result<(), TrainError> {
        self.append("measurement", row)
    }

    fn checkpoint(&mut self, snapshot: &Snapshot<'_>) -> Result<(), TrainError> {
        RunFolder::checkpoint(self, snapshot).map(drop)
    }
}
