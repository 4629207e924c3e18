//! The measurements of a run.

use saltflat_metrics::Estimate;
use saltflat_record::{Best, metric};

use super::Trainer;
use crate::{
    MeasuredLoss, MeasurementPoint, MeasurementRow, Observer, TrainError, measure_schedule::epoch_of,
    step::ScheduledNoises,
};

impl Trainer<'_> {
    /// Makes the measurement that is due; false if it was cut short, and then it is still due.
    pub(super) fn measure(&mut self, observer: &mut dyn Observer, stop: &dyn Fn() -> bool) -> Result<bool, TrainError> {
        let metrics = &self.plan.config.metrics;
        if !metrics.is_on() {
            self.measurement_due = false;
            return Ok(true);
        }
        observer.measurement_started();
        let due = metrics.due(self.measurer.count);
        let point =
            MeasurementPoint { theta: &self.theta, buffers: &self.buffers, update: self.sgd.update(), step: self.step };
        let Some(mut found) = self.measurer.measure_unless(self.plan, &due, point, stop)? else { return Ok(false) };
        if metrics.noise_strength.is_some() {
            found.put(&metric::TRACE_FROM_NOISE, self.trace_from_noise()?);
        }
        let row = MeasurementRow {
            epoch: epoch_of(self.plan, self.step),
            step: self.step,
            curvature_samples: found.curvature_samples,
            alignment_samples: found.alignment_samples,
            measured_loss: Some(MeasuredLoss::of(self.plan).into()),
            metrics: found.metrics,
        };
        observer.measurement(&row)?;
        self.rows += 1;
        self.measurement_due = false;
        if let Some(by) = self.plan.config.train.checkpoint.best
            && let Some(value) = row.value(by.name())
            && self.best.is_none_or(|best| by.is_better(value, best.value))
        {
            self.best = Some(Best { step: self.step, value });
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
