//! A run that is resumed from its newest checkpoint.

use std::{
    cell::Cell,
    path::{Path, PathBuf},
};

use saltflat_models::load;
use saltflat_record::{
    FolderError, METRICS, NewestCheckpoint, Row, STATE, Sidecar, WEIGHTS, complete_lines, read_regular, value,
};

use super::{
    config_changes::{ConfigChanges, LENGTHS},
    start::{read_state, start},
};
use crate::{Plan, TrainError, Trainer, config::Config};

/// A run as it was saved last: at its newest whole checkpoint whose rows are all in `metrics.jsonl`, or at its start if no
/// checkpoint is whole.
#[derive(Debug)]
pub struct SavedRun {
    run: PathBuf,
    /// The sidecar's path and content.
    checkpoint: Option<(PathBuf, Sidecar)>,
    /// The rows of `metrics.jsonl` that belong to it.
    rows: Vec<Row>,
    skipped: Vec<String>,
}

/// A run that is resumed.
#[derive(Debug)]
pub struct Resumed<'a> {
    /// The trainer at the checkpoint.
    pub trainer: Trainer<'a>,
    /// A sentence about each newer checkpoint that is not whole.
    pub skipped: Vec<String>,
    /// How its configuration differs from that of the checkpoint.
    pub config_changes: ConfigChanges,
}

/// The run at its newest whole checkpoint whose rows are all in `metrics.jsonl`; at its start if no checkpoint is whole.
///
/// # Errors
/// As [`SavedRun::find`], [`SavedRun::config_changes`] and [`SavedRun::resume`].
pub fn resume<'a>(run: &Path, plan: &'a Plan) -> Result<Resumed<'a>, TrainError> {
    let saved = SavedRun::find(run)?;
    let changes = saved.config_changes(&plan.config, &plan.config)?;
    saved.resume(plan, changes)
}

impl SavedRun {
    /// Finds the checkpoint and checks that its files are whole.
    ///
    /// # Errors
    /// [`TrainError::Resume`] if the rows of every whole checkpoint are missing, [`TrainError::File`].
    pub fn find(run: &Path) -> Result<Self, TrainError> {
        let path = run.join(METRICS);
        let text = read_regular(&path).map_err(FolderError::at(path))?;
        let mut rows: Vec<Row> = complete_lines(&text).map_while(|(_, row)| row).collect();
        let lacks_rows = Cell::new(false);
        let NewestCheckpoint { whole, skipped } = NewestCheckpoint::of(run, |sidecar| match sidecar.progress.rows {
            needed if needed > rows.len() as u64 => {
                lacks_rows.set(true);
                let (found, step) = (rows.len(), sidecar.step);
                Err(format!("metrics.jsonl has {found} whole rows, expected at least {needed} at step {step}"))
            }
            _ => Ok(()),
        })?;
        if whole.is_none() && lacks_rows.get() {
            let remedy = "restore metrics.jsonl, or start the run anew in another folder";
            return Err(TrainError::Resume { path: run.into(), reason: format!("{}; {remedy}", skipped.join("; ")) });
        }
        rows.truncate(whole.as_ref().map_or(0, |(_, sidecar)| sidecar.progress.rows as usize));
        Ok(Self { run: run.into(), checkpoint: whole, rows, skipped })
    }

    /// True if there is a checkpoint to go on from.
    pub fn has_checkpoint(&self) -> bool {
        self.checkpoint.is_some()
    }

    /// How `now`, the configuration that the run is to go on with, differs from the one that made the checkpoint. A checkpoint of
    /// a version that did not keep it, or none, is taken to be made with `in_folder`, which `config.toml` says.
    ///
    /// # Errors
    /// [`TrainError::Resume`] with every key that may not change and both values; [`CHANGEABLE`](super::CHANGEABLE) are those
    /// that may. [`TrainError::Config`] if the checkpoint's configuration cannot be read.
    pub fn config_changes(&self, in_folder: &Config, now: &Config) -> Result<ConfigChanges, TrainError> {
        let saved = self.checkpoint.as_ref().and_then(|(path, sidecar)| Some((path, sidecar.config.as_ref()?)));
        let then = match saved {
            Some((path, text)) => Config::read(text, path, &[])?,
            None => in_folder.clone(),
        };
        ConfigChanges::between(then, now, saved.is_some()).map_err(|reason| self.refused(reason))
    }

    /// Reads the checkpoint's weights and state.
    ///
    /// # Errors
    /// [`TrainError::Model`] and [`TrainError::Resume`] if the checkpoint is of another network or another seed, or if it is
    /// beyond the end of the plan.
    pub fn resume(self, plan: &Plan, config_changes: ConfigChanges) -> Result<Resumed<'_>, TrainError> {
        let Some((path, sidecar)) = &self.checkpoint else {
            let trainer = Trainer::new(plan, start(plan)?);
            return Ok(Resumed { trainer, skipped: self.skipped, config_changes });
        };
        let seed = plan.config.run.seed;
        if sidecar.seed != seed {
            let reason = format!("{} is of seed {}, config.toml says {seed}", path.display(), sidecar.seed);
            return Err(self.refused(reason));
        }
        if let Some(change) =
            config_changes.of_keys(&["train.microbatch"]).filter(|_| !plan.network.layout().buffers.is_empty())
        {
            let reason =
                format!("{change}; batch normalisation takes its statistics from a pass, so it may not change");
            return Err(self.refused(reason));
        }
        let weights = load(&path.with_extension(WEIGHTS), plan.network.layout(), &plan.device, plan.dtype)?;
        let state = path.with_extension(STATE);
        let tensors = read_state(&state, plan)?;
        let trainer = Trainer::restored(plan, weights, sidecar.progress.clone(), tensors)
            .map_err(|reason| self.refused(format!("{}: {reason}", state.display())))?;
        let trainer = self.with_new_end(trainer, &config_changes)?;
        Ok(Resumed { trainer, skipped: self.skipped, config_changes })
    }

    /// The trainer under the conditions of now for the end of the run. A goal that ended the run is judged again; conditions that
    /// changed are not applied to the epochs before.
    fn with_new_end<'a>(&self, mut trainer: Trainer<'a>, changes: &ConfigChanges) -> Result<Trainer<'a>, TrainError> {
        let (plan, step) = (trainer.plan(), trainer.steps());
        let was_at_end = trainer.goal.is_some() || step >= changes.then.train.total_steps(plan.steps_per_epoch);
        if let Some(change) = changes.of_keys(&LENGTHS).filter(|_| plan.steps <= step && !was_at_end) {
            let reason = format!("{change}, which is {} steps; the run has made {step}, expected more", plan.steps);
            return Err(self.refused(reason));
        }
        if changes.moves_the_end() {
            let last = self.rows.iter().rfind(|row| row.kind() == "epoch" && row.count("step") == step);
            trainer
                .judge_again(last.and_then(|row| Some((value(row, "running_loss")?, value(row, "running_accuracy")))));
        }
        Ok(trainer)
    }

    fn refused(&self, reason: String) -> TrainError {
        TrainError::Resume { path: self.run.clone(), reason }
    }
}
