//! Rows of `metrics.jsonl`, of which a long run has a hundred thousand with a hundred numbers each.
//!
//! The rows of a run have the same names, so these are kept once, as the shape that the rows share; a row is then little more than its
//! numbers. As trees of JSON the same rows take ten times the memory.

mod compact;
mod kinds;
mod lines;
mod shape;

pub use compact::{Row, entry, numbers, std_error, value};
pub use kinds::{
    EpochRow, MeasurementRow, RecordedLoss, RecordedTrial, TrialEnd, TrialMeasurement, TrialReader, line, trial_name,
};
pub use lines::{complete_lines, last_row, read_rows};
pub use shape::Field;
