//! Event files of a run for TensorBoard.

use std::{
    collections::BTreeSet,
    io,
    time::{SystemTime, UNIX_EPOCH},
};

use saltflat_record::{
    Row,
    metric::{self, Metric},
};
use saltflat_report::{EventWriter, cut_back_events};
use saltflat_train::{EpochRow, MeasurementRow, Observer, Plan, RunFolder, TrainError};

use crate::reporter::Messages;

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
    /// Opens a file, if the configuration asks for one. Of a run that is `resumed` at a step, after these rows, the events of other
    /// rows are removed.
    pub fn open(plan: &Plan, folder: &RunFolder, messages: &Messages<'a>, resumed: Option<(u64, &[Row])>) -> Self {
        let path = || folder.check().map(|()| folder.root().join(TENSORBOARD)).map_err(io::Error::other);
        if let Some((_, rows)) = resumed
            && let Err(e) = path().and_then(|path| cut_back_events(&path, &mut rows_once(rows)))
        {
            messages.say(&format!("event files for TensorBoard may hold steps twice: {e}"));
        }
        let open = || match resumed {
            Some((step, _)) => EventWriter::resume(&path()?, now(), step),
            None => EventWriter::create(&path()?, now()),
        };
        let failed = |e| messages.say(&format!("no event files for TensorBoard: {e}"));
        let writer = plan.config.run.tensorboard.then(|| open().map_err(failed).ok()).flatten();
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
            (&metric::LR, Some(row.lr)),
            (&metric::RUNNING_LOSS, Some(row.running_loss)),
            (&metric::RUNNING_ACCURACY, row.running_accuracy),
            (&metric::NOISE_SQ, row.noise_sq),
        ];
        let tagged = |(metric, value): (&Metric, Option<f64>)| Some((format!("{OF_EPOCH}{}", metric.name), value?));
        let values: Vec<_> = values.into_iter().filter_map(tagged).collect();
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
fn rows_once(rows: &[Row]) -> impl FnMut(&str, u64) -> bool {
    let mut left: BTreeSet<(bool, u64)> = rows.iter().map(|row| (row.kind() == "epoch", row.count("step"))).collect();
    move |tag, step| left.remove(&(tag.starts_with(OF_EPOCH), step))
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |elapsed| elapsed.as_secs_f64())
}
