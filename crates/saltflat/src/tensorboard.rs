//! Event files of a run for TensorBoard.

use std::{
    collections::BTreeSet,
    io,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use saltflat_report::{EventWriter, cut_back_events};
use saltflat_train::{EpochRow, MeasurementRow, Observer, Plan, RunFolder, TrainError};
use serde_json::Value;

use crate::reporter::Messages;

/// Folder of the event files in that of the run.
const TENSORBOARD: &str = "tensorboard";

/// What the tags of an epoch's scalars begin with.
const OF_EPOCH: &str = "train/";

/// Writes the scalars of a run as event files, if the configuration asks for them. They are not the result: what cannot be written is
/// reported, and does not end the run.
pub struct EventFiles<'a> {
    /// Absent if they are not asked for, or cannot be written.
    writer: Option<EventWriter>,
    messages: Messages<'a>,
}

impl<'a> EventFiles<'a> {
    /// Of a new run.
    pub fn create(plan: &Plan, folder: &RunFolder, messages: &Messages<'a>) -> Self {
        Self::open(plan, folder, messages, |folder| EventWriter::create(folder, now()))
    }

    /// Of a run that is resumed at this step, after these rows; removes the events of other rows.
    pub fn resume(plan: &Plan, folder: &RunFolder, messages: &Messages<'a>, step: u64, rows: &[Value]) -> Self {
        let cut = match folder.check() {
            Ok(()) => cut_back_events(&folder.root().join(TENSORBOARD), &mut rows_once(rows)),
            Err(error) => Err(io::Error::other(error)),
        };
        if let Err(e) = cut {
            messages.say(&format!("event files for TensorBoard may hold steps twice: {e}"));
        }
        Self::open(plan, folder, messages, |folder| EventWriter::resume(folder, now(), step))
    }

    fn open(
        plan: &Plan,
        folder: &RunFolder,
        messages: &Messages<'a>,
        open: impl Fn(&Path) -> io::Result<EventWriter>,
    ) -> Self {
        let mut writer = None;
        if plan.config.run.tensorboard {
            let checked = folder.check().map_err(io::Error::other);
            match checked.and_then(|()| open(&folder.root().join(TENSORBOARD))) {
                Ok(events) => writer = Some(events),
                Err(e) => messages.say(&format!("no event files for TensorBoard: {e}")),
            }
        }
        Self { writer, messages: messages.clone() }
    }

    fn write(&mut self, step: u64, values: &[(String, f64)]) {
        let values = values.iter().map(|(tag, value)| (tag.as_str(), *value));
        if let Some(Err(e)) = self.writer.as_mut().map(|writer| writer.scalars(now(), step, values)) {
            self.writer = None;
            self.messages.say(&format!("no more event files for TensorBoard: {e}"));
        }
    }
}

impl Observer for EventFiles<'_> {
    fn epoch(&mut self, row: &EpochRow) -> Result<(), TrainError> {
        let values = [
            ("lr", Some(row.lr)),
            ("running_loss", Some(row.running_loss)),
            ("running_accuracy", row.running_accuracy),
            ("noise_sq", row.noise_sq),
        ];
        let values: Vec<_> =
            values.into_iter().filter_map(|(name, value)| Some((format!("{OF_EPOCH}{name}"), value?))).collect();
        self.write(row.step, &values);
        Ok(())
    }

    fn measurement(&mut self, row: &MeasurementRow) -> Result<(), TrainError> {
        let values: Vec<_> =
            row.metrics.keys().filter_map(|name| Some((format!("metrics/{name}"), row.value(name)?))).collect();
        let errors: Vec<_> = row
            .metrics
            .keys()
            .filter_map(|name| Some((format!("std_error/{name}"), row.std_error(name)?)))
            .filter(|(_, error)| *error > 0.0)
            .collect();
        self.write(row.step, &[values, errors].concat());
        Ok(())
    }
}

/// Says of each event, by a tag of it and its step, whether it is that of one of these rows; a second one of the same row is not.
fn rows_once(rows: &[Value]) -> impl FnMut(&str, u64) -> bool {
    let row = |row: &Value| Some((row["kind"] == "epoch", row["step"].as_u64()?));
    let mut left: BTreeSet<(bool, u64)> = rows.iter().filter_map(row).collect();
    move |tag, step| left.remove(&(tag.starts_with(OF_EPOCH), step))
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |elapsed| elapsed.as_secs_f64())
}
