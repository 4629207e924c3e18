//! Rows of `metrics.jsonl`, of which a long run has a hundred thousand with a hundred numbers each.
//!
//! The rows of a run have the same names, so these are kept once, as the shape that the rows share; a row is then little more than its
//! numbers. As trees of JSON the same rows take ten times the memory.

mod compact;
mod field;
mod kinds;
mod lines;
mod shape;
mod trial;
mod values;

pub use compact::Row;
pub use field::Field;
pub use kinds::{EpochRow, MeasurementRow, RecordedLoss, TrialEnd, TrialMeasurement, line};
pub use lines::{complete_lines, last_row, read_rows};
pub use trial::{RecordedTrial, TrialReader, trial_name};
pub use values::{entry, numbers, std_error, value};
