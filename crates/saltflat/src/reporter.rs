//! What a person sees of a run: a row an epoch on stdout, progress and talk on stderr, everything in the run folder.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use saltflat_record::metric::{self, Metric};
use saltflat_report::{EventWriter, cut_back_events};
use saltflat_train::{
    Before, Chosen, ConfigChanges, EpochRow, MeasuredLoss, MeasurementRow, Observer, Plan, RunFolder, TrainError,
    Trainer,
};
use serde_json::Value;

use crate::{
    output::OutputError,
    table::{Table, number},
};

/// Folder of the event files in that of the run.
const TENSORBOARD: &str = "tensorboard";

/// What the tags of an epoch's scalars begin with.
const OF_EPOCH: &str = "train/";

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

/// Writes to the run folder and to the terminal.
pub struct Reporter {
    folder: RunFolder,
    bar: ProgressBar,
    table: Option<Table>,
    measured: bool,
    first: Option<MeasurementRow>,
    last: Option<MeasurementRow>,
    rows: usize,
    /// True once a row could not be written to stdout.
    stdout_failed: bool,
    /// Weights of the last checkpoint.
    checkpoint: Option<PathBuf>,
    /// Event files, if they are asked for and can be written.
    events: Option<EventWriter>,
}

impl Reporter {
    /// Says what starts where.
    pub fn new(folder: RunFolder, plan: &Plan, device: &Chosen) -> Self {
        let bar = match crate::output::can_move_cursor(&std::io::stderr()) {
            true => ProgressBar::with_draw_target(Some(plan.steps), ProgressDrawTarget::stderr_with_hz(5)),
            false => ProgressBar::hidden(),
        };
        if let Ok(style) = ProgressStyle::with_template("{bar:30} step {pos}/{len}, {eta} left {msg}") {
            bar.set_style(style);
        }
        let (first, last) = (None, None);
        let (checkpoint, events) = (None, None);
        let mut reporter = Self {
            folder,
            bar,
            table: None,
            measured: false,
            first,
            last,
            rows: 0,
            stdout_failed: false,
            checkpoint,
            events,
        };
        reporter.say(&format!(
            "{}: {} parameters, {} steps of {} samples, {} epochs, on {} ({}): {}",
            plan.config.run.name,
            plan.network.layout().len(),
            plan.steps,
            plan.batch_size,
            plan.steps.div_ceil(plan.steps_per_epoch.max(1)),
            device.name,
            device.backend,
            device.why,
        ));
        if plan.measured_loss() != plan.loss {
            reporter.say(&format!("all metrics are of another loss than the trained one: {}", MeasuredLoss::of(plan)));
        }
        reporter
    }

    /// Begins a new run.
    pub fn begin(&mut self, plan: &Plan) {
        self.open_events(plan, |folder| EventWriter::create(folder, now()));
    }

    /// Goes on after these rows.
    pub fn resumed(&mut self, trainer: &Trainer<'_>, Before { rows, changed }: &Before, changes: &ConfigChanges) {
        let step = trainer.steps();
        self.rows = rows.len();
        let mut measurements = rows.iter().filter(|row| row["kind"] == "measurement");
        let parsed = |row: &Value| serde_json::from_value::<MeasurementRow>(row.clone()).ok();
        self.first = measurements.next().and_then(parsed);
        self.last = measurements.next_back().and_then(parsed).or_else(|| self.first.clone());
        self.measured = self.first.is_some();
        self.say(&format!("resumed at step {step}, after {} rows", rows.len()));
        if !changed.is_empty() {
            let changed = changed.join(", ");
            self.say(&format!("not as when it began: {changed}; its numbers may differ in their last bits"));
        }
        if !changes.is_complete && step > 0 {
            self.say(
                "its checkpoint is of a version that did not keep the configuration: whether config.toml was edited since cannot \
                 be told",
            );
        }
        for change in &changes.keys {
            self.say(&format!("its configuration has changed: {change}"));
        }
        let cut = match self.folder.check() {
            Ok(()) => cut_back_events(&self.folder.root().join(TENSORBOARD), &mut rows_once(rows)),
            Err(error) => Err(std::io::Error::other(error)),
        };
        if let Err(e) = cut {
            self.say(&format!("event files for TensorBoard may hold steps twice: {e}"));
        }
        self.open_events(trainer.plan(), |folder| EventWriter::resume(folder, now(), step));
    }

    /// Opens an event file if one is asked for. It is not the result: what cannot be made is said and ends nothing.
    fn open_events(&mut self, plan: &Plan, open: impl Fn(&Path) -> std::io::Result<EventWriter>) {
        if plan.config.run.tensorboard {
            let checked = self.folder.check().map_err(std::io::Error::other);
            match checked.and_then(|()| open(&self.folder.root().join(TENSORBOARD))) {
                Ok(events) => self.events = Some(events),
                Err(e) => self.say(&format!("no event files for TensorBoard: {e}")),
            }
        }
    }

    /// The run folder.
    pub fn folder(&self) -> &RunFolder {
        &self.folder
    }

    /// Talk: stderr and the log.
    pub fn say(&mut self, text: &str) {
        self.bar.suspend(|| errln!("{text}"));
        // The log is not the result: a line that cannot be written must not end a run.
        let _ = self.folder.log(text);
    }

    /// Scalars for TensorBoard. The event file is not the result: what cannot be written ends it and not the run.
    fn scalars(&mut self, step: u64, values: &[(String, f64)]) {
        let values = values.iter().map(|(tag, value)| (tag.as_str(), *value));
        if let Some(Err(e)) = self.events.as_mut().map(|events| events.scalars(now(), step, values)) {
            self.events = None;
            self.say(&format!("no more event files for TensorBoard: {e}"));
        }
    }

    /// A row on stdout. A run does not end because its rows cannot be shown: `metrics.jsonl` has them too.
    fn print(&mut self, text: &str) {
        if self.stdout_failed {
            return;
        }
        if let Err(error) = self.bar.suspend(|| outln!("{text}")) {
            self.stdout_failed = true;
            if matches!(error, OutputError::Failed(_)) {
                self.say(&format!("{error}; the rows are in {}", self.folder.root().join("metrics.jsonl").display()));
            }
        }
    }

    /// Says how the run ended, what was measured and where it lies.
    pub fn end(&mut self, status: &str, reason: &str, elapsed: Duration) {
        self.bar.finish_and_clear();
        let mut text = format!("{status}: {reason}, {:.1} s", elapsed.as_secs_f64());
        if let (Some(first), Some(last)) = (&self.first, &self.last) {
            for name in metric::all().filter(|metric| metric.is_in_summary).map(|metric| metric.name) {
                if let (Some(from), Some(to)) = (first.value(name), last.value(name)) {
                    let error = last.std_error(name).map_or(String::new(), |error| format!(" ± {}", number(error)));
                    let to = number(to) + &error;
                    text.push_str(&match first.step == last.step {
                        // Of a run that was measured once nothing is known of a change.
                        true => format!("\n  {name:<18} {to} (measured at step {} alone)", last.step),
                        false => format!("\n  {name:<18} {} -> {to}", number(from)),
                    });
                }
            }
            if let (Some(norm), Some(bound)) =
                (last.value(metric::GRAM_FROBENIUS.name), last.value(metric::WU_BOUND_FROBENIUS.name))
            {
                let (side, norm, bound) = (if norm > bound { "above" } else { "below" }, number(norm), number(bound));
                let of = "the Wu bound sqrt(B/mu (n-1)/(n-B))/lr";
                text.push_str(&format!("\n  |G|_F = {norm} is {side} {of} = {bound}, both of the alignment's samples"));
            }
        }
        text.push_str(&format!("\n{} holds {} rows", self.folder.root().join("metrics.jsonl").display(), self.rows));
        match &self.checkpoint {
            Some(path) => text.push_str(&format!(", {} the weights", path.display())),
            None => text.push_str("; no weights were saved since it was resumed"),
        }
        self.say(&text);
    }
}

impl Observer for Reporter {
    fn step(&mut self, step: u64, _of: u64) {
        self.bar.set_position(step);
        self.bar.set_message("");
    }

    fn measuring(&mut self, _epoch: u64) {
        self.bar.set_message("(measuring)");
    }

    fn epoch(&mut self, row: &EpochRow) -> Result<(), TrainError> {
        self.folder.epoch(row)?;
        self.rows += 1;
        let values = [
            (&metric::LR, Some(row.lr)),
            (&metric::RUNNING_LOSS, Some(row.running_loss)),
            (&metric::RUNNING_ACCURACY, row.running_accuracy),
            (&metric::NOISE_SQ, row.noise_sq),
        ];
        let tagged = |(metric, value): (&Metric, Option<f64>)| Some((format!("{OF_EPOCH}{}", metric.name), value?));
        let values: Vec<_> = values.into_iter().filter_map(tagged).collect();
        self.scalars(row.step, &values);
        if !self.measured {
            let accuracy = row.running_accuracy.map_or(String::new(), |a| format!(", accuracy {:.1} %", 100.0 * a));
            self.print(&format!("epoch {}: running loss {}{accuracy}", row.epoch, number(row.running_loss)));
        }
        Ok(())
    }

    fn measurement(&mut self, row: &MeasurementRow) -> Result<(), TrainError> {
        self.folder.measurement(row)?;
        self.rows += 1;
        let values: Vec<_> =
            row.metrics.keys().filter_map(|name| Some((format!("metrics/{name}"), row.value(name)?))).collect();
        let errors: Vec<_> = row
            .metrics
            .keys()
            .filter_map(|name| Some((format!("std_error/{name}"), row.std_error(name)?)))
            .filter(|(_, error)| *error > 0.0)
            .collect();
        self.scalars(row.step, &[values, errors].concat());
        self.measured = true;
        if self.table.is_none() {
            let table = Table::new(row);
            self.print(&table.head());
            self.table = Some(table);
            self.first.get_or_insert_with(|| row.clone());
        }
        if let Some(table) = &self.table {
            self.print(&table.line(row));
        }
        self.last = Some(row.clone());
        Ok(())
    }

    fn checkpoint(&mut self, trainer: &Trainer<'_>) -> Result<(), TrainError> {
        self.checkpoint = Some(self.folder.checkpoint(trainer)?);
        Ok(())
    }

    fn message(&mut self, text: &str) {
        self.say(text);
    }
}
