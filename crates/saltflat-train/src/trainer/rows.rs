//! The rows of a run: the ends of its epochs, and its measurements; and whether it has diverged.

use saltflat_metrics::Estimate;
use saltflat_record::{Best, Exact, metric};

use super::{
    Trainer,
    epoch_totals::{EpochSums, EpochTotals},
};
use crate::{
    EpochRow, MeasurementPoint, MeasurementRow, Observer, TrainError, measure::absence_on, step::ScheduledNoises,
};

impl Trainer<'_> {
    /// Reports the epoch, and decides what is due now; gives the reason if the run diverged.
    pub(super) fn end_epoch(&mut self, observer: &mut dyn Observer) -> Result<Option<String>, TrainError> {
        let (plan, epoch) = (self.plan, self.plan.epoch_of(self.step));
        if self.epoch.samples == 0 {
            // Bernoulli sampling of a handful of samples can draw nothing in a whole epoch, which then has no mean loss.
            self.measurement_due = plan.measures_after_epoch(epoch);
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
        self.measurement_due = plan.measures_after_epoch(epoch) || self.goal.is_some() && plan.config.metrics.at_ends;
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
        let place = || format!("in epoch {}, step {}", self.plan.epoch_of(self.step), self.step);
        match (loss.is_finite(), weights.is_finite()) {
            (false, _) => Some(format!("the training loss is {loss} {}", place())),
            (_, false) => Some(format!("a weight is not finite any more {}", place())),
            _ => None,
        }
    }

    /// Makes the measurement that is due; false if it was cut short, and then it is still due.
    pub(super) fn measure(&mut self, observer: &mut dyn Observer, stop: &dyn Fn() -> bool) -> Result<bool, TrainError> {
        let metrics = &self.plan.config.metrics;
        if !metrics.is_on() {
            self.measurement_due = false;
            return Ok(true);
        }
        observer.measurement_started();
        let due = metrics.due(self.measurer.count);
        let point = MeasurementPoint {
            theta: &self.theta,
            buffers: &self.buffers,
            update: self.sgd.update.as_ref(),
            step: self.step,
        };
        let Some(mut found) = self.measurer.measure_unless(self.plan, &due, point, stop)? else { return Ok(false) };
        if metrics.noise_strength.is_some() {
            let of_steps = self.trace_from_noise()?;
            let absence = absence_on(self.plan.measured_split(), &metric::TRACE_FROM_NOISE);
            found.put(&metric::TRACE_FROM_NOISE, absence.unwrap_or(of_steps));
        }
        let row = MeasurementRow {
            epoch: self.plan.epoch_of(self.step),
            step: self.step,
            curvature_samples: found.curvature_samples,
            alignment_samples: found.alignment_samples,
            measured_loss: Some(self.plan.recorded_loss()),
            metrics: found.metrics,
        };
        if metrics.vectors {
            observer.vectors(self.plan, self.step, &found.vectors)?;
        }
        observer.measurement(&row)?;
        self.rows += 1;
        self.measurement_due = false;
        if let Some(by) = self.plan.config.train.checkpoint.best
            && let Some(value) = row.value(by.name())
            && self.best.is_none_or(|best| by.is_better(value, best.value.0))
        {
            self.best = Some(Best { step: self.step, value: Exact(value) });
        }
        Ok(true)
    }

    /// tr H from the label noise of the steps since the last measurement.
    fn trace_from_noise(&mut self) -> Result<Estimate, TrainError> {
        if let Some(estimate) = self.noise.take_trace()? {
            return Ok(estimate);
        }
        // Of a schedule's steps the last one says why none of them counts.
        let last = ScheduledNoises::new(self.plan, self.step.saturating_sub(1));
        Ok(Estimate::absent(match last.trace_factor(self.plan, 1) {
            Err(reason) => reason,
            Ok(_) if self.step == 0 => "no step has been made yet".into(),
            Ok(_) => "no step of this epoch was measured".into(),
        }))
    }
}
