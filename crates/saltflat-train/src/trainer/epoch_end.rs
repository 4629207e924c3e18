//! The end of an epoch: its row, and whether the run has diverged.

use super::{
    Trainer,
    epoch_totals::{EpochSums, EpochTotals},
};
use crate::{
    EpochRow, Observer, TrainError,
    measure_schedule::{epoch_of, measures_after_epoch},
};

impl Trainer<'_> {
    /// Reports the epoch, and decides what is due now; gives the reason if the run diverged.
    pub(super) fn end_epoch(&mut self, observer: &mut dyn Observer) -> Result<Option<String>, TrainError> {
        let (plan, epoch) = (self.plan, epoch_of(self.plan, self.step));
        if self.epoch.samples == 0 {
            // Bernoulli sampling of a handful of samples can draw nothing in a whole epoch, which then has no mean loss.
            self.measurement_due = measures_after_epoch(plan, epoch);
            return Ok(None);
        }
        let totals = self.epoch.totals(&self.theta, &self.buffers)?;
        let n = self.epoch.samples as f64;
        let row = EpochRow {
            epoch,
            step: self.step,
            lr: self.epoch.lr,
            running_loss: totals.loss / n,
            // Outputs that are not finite have no largest one.
            running_accuracy: totals.correct.filter(|_| totals.loss.is_finite()).map(|correct| correct / n),
            noise_sq: totals.noise.map(|sum| sum / self.epoch.noise_steps as f64),
            noise_steps: self.epoch.noise_steps,
        };
        let is_whole = self.step.is_multiple_of(plan.steps_per_epoch);
        if is_whole {
            // An epoch that the end of the run cut short keeps its sums: a run that is resumed with more steps completes it.
            self.epoch = EpochSums::default();
        }
        observer.epoch(&row)?;
        self.rows += 1;
        let diverged = self.not_finite(row.running_loss, totals.weights);
        if diverged.is_some() {
            return Ok(diverged);
        }
        let train = &plan.config.train;
        let first = self.first_loss.unwrap_or(row.running_loss);
        if is_whole {
            self.first_loss = Some(first);
        }
        if let Some(multiple) = train.diverged_above.filter(|multiple| row.running_loss > multiple * first) {
            let loss = row.running_loss;
            return Ok(Some(format!(
                "the training loss {loss:.3e} of epoch {epoch} is above {multiple} times the first one, {first:.3e}"
            )));
        }
        self.goal = train.goal(row.running_loss, row.running_accuracy);
        self.measurement_due = measures_after_epoch(plan, epoch) || self.goal.is_some() && plan.config.metrics.at_ends;
        self.keep_as_finite();
        Ok(None)
    }

    /// Keeps this state as the last one that is known to be finite. Tensors are shared, so that costs no copy.
    pub(super) fn keep_as_finite(&mut self) {
        self.last_finite = None;
        self.last_finite = Some(Box::new(self.clone()));
    }

    /// Why this state is not finite, if it is not. Waits for the device.
    pub(super) fn divergence(&mut self) -> Result<Option<String>, TrainError> {
        if self.last_finite.as_ref().is_some_and(|finite| finite.step == self.step) {
            return Ok(None);
        }
        let EpochTotals { loss, weights, .. } = self.epoch.totals(&self.theta, &self.buffers)?;
        let reason = self.not_finite(loss, weights);
        if reason.is_none() {
            self.keep_as_finite();
        }
        Ok(reason)
    }

    /// Says so if the loss or the sum of the weights is no finite number.
    fn not_finite(&self, loss: f64, weights: f64) -> Option<String> {
        let place = || format!("in epoch {}, step {}", epoch_of(self.plan, self.step), self.step);
        match (loss.is_finite(), weights.is_finite()) {
            (false, _) => Some(format!("the training loss is {loss} {}", place())),
            (_, false) => Some(format!("a weight is not finite any more {}", place())),
            _ => None,
        }
    }
}
