//! What a person sees of a run: a row an epoch on stdout, progress and messages on stderr.

use std::{path::PathBuf, time::Duration};

use indicatif::ProgressBar;
use saltflat_record::{Row, metric, weights_path};
use saltflat_train::{
    ConfigChanges, DeviceInfo, EpochRow, MeasurementRow, Observer, Plan, ResumeReport, RunFolder, Snapshot, TrainError,
    config::MeasuredSplit,
};

use crate::{
    output::{OutputError, progress_bar},
    table::{Table, number},
};

/// Messages of a run: on stderr, above its progress bar, and in the log of its folder.
#[derive(Clone)]
pub struct Messages<'a> {
    folder: &'a RunFolder,
    bar: ProgressBar,
}

impl Messages<'_> {
    pub fn say(&self, text: &str) {
        self.bar.suspend(|| errln!("{text}"));
        // The log is not the result: a line that cannot be written must not end a run.
        let _ = self.folder.log(text);
    }
}

pub struct Reporter<'a> {
    messages: Messages<'a>,
    table: Option<Table>,
    measured: bool,
    first: Option<MeasurementRow>,
    last: Option<MeasurementRow>,
    rows: usize,
    stdout_failed: bool,
    checkpoint: Option<PathBuf>,
}

impl<'a> Reporter<'a> {
    /// Shows which run starts on which device.
    pub fn new(folder: &'a RunFolder, plan: &Plan, device: &DeviceInfo) -> Self {
        let bar = progress_bar(plan.steps, "{bar:30} step {pos}/{len}, {eta} left {msg}");
        let reporter = Self {
            messages: Messages { folder, bar },
            table: None,
            measured: false,
            first: None,
            last: None,
            rows: 0,
            stdout_failed: false,
            checkpoint: None,
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
        let is_penalised = plan.measured_weight_decay() > 0.0;
        if plan.measured_loss() != plan.loss || is_penalised || plan.measured_split() == MeasuredSplit::Test {
            reporter.say(&format!("all metrics are of another loss than the trained one: {}", plan.recorded_loss()));
        }
        reporter
    }

    /// Goes on at this step after the rows of the report.
    pub fn resume(&mut self, step: u64, ResumeReport { rows, changed }: &ResumeReport, changes: &ConfigChanges) {
        self.rows = rows.len();
        let mut measurements = rows.iter().filter(|row| row.kind() == "measurement");
        let parsed = |row: &Row| row.parse::<MeasurementRow>();
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
    }

    pub fn folder(&self) -> &'a RunFolder {
        self.messages.folder
    }

    pub fn messages(&self) -> &Messages<'a> {
        &self.messages
    }

    fn say(&self, text: &str) {
        self.messages.say(text);
    }

    /// A row on stdout. A run does not end because its rows cannot be shown: `metrics.jsonl` has them too.
    fn print(&mut self, text: &str) {
        if self.stdout_failed {
            return;
        }
        if let Err(error) = self.messages.bar.suspend(|| outln!("{text}")) {
            self.stdout_failed = true;
            if matches!(error, OutputError::Failed(_)) {
                self.say(&format!("{error}; the rows are in {}", self.folder().root().join("metrics.jsonl").display()));
            }
        }
    }

    /// Shows how the run ended, what was measured, and the folder of the run.
    pub fn end(&mut self, status: &str, reason: &str, elapsed: Duration) {
        self.messages.bar.finish_and_clear();
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
        text.push_str(&format!("\n{} holds {} rows", self.folder().root().join("metrics.jsonl").display(), self.rows));
        match &self.checkpoint {
            Some(path) => text.push_str(&format!(", {} the weights", path.display())),
            None => text.push_str("; no weights were saved since it was resumed"),
        }
        self.say(&text);
    }
}

impl Observer for Reporter<'_> {
    fn step(&mut self, step: u64, _of: u64) {
        self.messages.bar.set_position(step);
        self.messages.bar.set_message("");
    }

    fn measurement_started(&mut self) {
        self.messages.bar.set_message("(measuring)");
    }

    fn epoch(&mut self, row: &EpochRow) -> Result<(), TrainError> {
        self.rows += 1;
        if !self.measured {
            let accuracy = row.running_accuracy.map_or(String::new(), |a| format!(", accuracy {:.1} %", 100.0 * a));
            self.print(&format!("epoch {}: running loss {}{accuracy}", row.epoch, number(row.running_loss)));
        }
        Ok(())
    }

    fn measurement(&mut self, row: &MeasurementRow) -> Result<(), TrainError> {
        self.rows += 1;
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

    fn checkpoint(&mut self, snapshot: &Snapshot<'_>) -> Result<(), TrainError> {
        self.checkpoint = Some(weights_path(self.folder().root(), snapshot.step));
        Ok(())
    }
}
