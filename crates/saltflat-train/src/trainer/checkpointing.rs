//! When a run is saved, what a checkpoint holds beside the weights, and how a run comes back from it. Whatever changes in a
//! step and is not a pure function of the step's number is in `snapshot` and in `restored`.

use std::time::Instant;

use saltflat_metrics::Samples;
use saltflat_models::Vector;
use saltflat_record::{Exact, Progress};

use super::{Trainer, epoch_totals::EpochSums};
use crate::{Observer, Plan, Snapshot, TrainError, config::Every, state::TensorMap, step::RunNoise};

impl<'a> Trainer<'a> {
    /// True if the configuration asks for a checkpoint at this step.
    pub(super) fn checkpoint_due(&self) -> bool {
        let due = match self.plan.config.train.checkpoint.every {
            Every::Epochs(every) => self.step.is_multiple_of(self.plan.steps_per_epoch.saturating_mul(every)),
            Every::Steps(every) => self.step.is_multiple_of(every),
            Every::Minutes(every) => {
                self.saved.map_or(self.started, |(_, at)| at).elapsed().as_secs_f64() >= 60.0 * every
            }
        };
        let is_best = self.best.is_some_and(|best| best.step == self.step);
        (due || is_best) && self.step > 0 && self.saved.is_none_or(|(step, _)| step != self.step)
    }

    /// Has this state saved, unless it is already.
    pub(super) fn save(&mut self, observer: &mut dyn Observer) -> Result<(), TrainError> {
        if self.saved.is_none_or(|(step, _)| step != self.step) {
            observer.checkpoint(&self.snapshot())?;
            self.saved = Some((self.step, Instant::now()));
        }
        Ok(())
    }

    /// All that has to be saved for the run to be resumed.
    pub fn snapshot(&self) -> Snapshot<'_> {
        let layout = self.plan.network.layout();
        let mut tensors = TensorMap::default();
        tensors.put_vector("momentum", layout, self.sgd.velocity.as_ref());
        tensors.put_vector("update", layout, self.sgd.update.as_ref());
        for (i, vector) in self.measurer.eigenvectors.iter().enumerate() {
            tensors.put_vector(&format!("eigenvector.{i}"), layout, Some(vector));
        }
        tensors.put("epoch.loss", self.epoch.loss.clone());
        tensors.put("epoch.correct", self.epoch.correct.clone());
        tensors.put("epoch.noise", self.epoch.noise.clone());
        let mut strength_weights: Vec<Exact> = self.noise.save(&mut tensors).into_iter().map(Exact).collect();
        let progress = Progress {
            step: self.step,
            rows: self.rows,
            epoch_samples: self.epoch.samples,
            epoch_floor: Exact(self.epoch.floor),
            epoch_noise_steps: self.epoch.noise_steps,
            strength_weight: strength_weights.remove(0),
            strength_weights,
            first_loss: self.first_loss.map(Exact),
            measurements: self.measurer.count,
            eigenvectors: self.measurer.eigenvectors.len(),
            measurement_due: self.measurement_due,
            goal: self.goal.clone(),
            best: self.best,
        };
        let (plan, theta, buffers) = (self.plan, &self.theta, &self.buffers);
        Snapshot { plan, step: self.step, epochs: self.epochs(), theta, buffers, progress, tensors }
    }

    /// At the place where these were saved. The epoch's learning rate is not: the next step sets it.
    pub(crate) fn restored(
        plan: &'a Plan,
        weights: (Vector, Vector),
        progress: Progress,
        mut tensors: TensorMap,
    ) -> Result<Self, String> {
        let layout = plan.network.layout();
        tensors.check(plan.dtype)?;
        check_counts(plan, &progress)?;
        let mut trainer = Self::new(plan, weights);
        trainer.sgd.velocity = tensors.take_vector("momentum", layout)?;
        trainer.sgd.update = tensors.take_vector("update", layout)?;
        for i in 0..progress.eigenvectors {
            let vector = tensors.take_vector(&format!("eigenvector.{i}"), layout)?;
            trainer.measurer.eigenvectors.push(vector.ok_or_else(|| format!("eigenvector.{i} is missing"))?);
        }
        trainer.measurer.count = progress.measurements;
        trainer.first_loss = progress.first_loss.map(|loss| loss.0);
        trainer.epoch = EpochSums {
            loss: tensors.take_of("epoch.loss", 1)?,
            correct: tensors.take_of("epoch.correct", 1)?,
            noise: tensors.take_of("epoch.noise", 1)?,
            noise_steps: progress.epoch_noise_steps,
            floor: progress.epoch_floor.0,
            samples: progress.epoch_samples,
            lr: 0.0,
        };
        let strength_weights = [&[progress.strength_weight][..], &progress.strength_weights].concat();
        let strength_weights: Vec<f64> = strength_weights.iter().map(|weight| weight.0).collect();
        trainer.noise = RunNoise::restore(plan, &mut tensors, &strength_weights)?;
        trainer.step = progress.step;
        trainer.rows = progress.rows;
        trainer.measurement_due = progress.measurement_due;
        trainer.goal = progress.goal;
        trainer.best = progress.best;
        // What is read here is what would be saved again, unless a measurement changes it.
        trainer.saved = (!trainer.measurement_due).then(|| (trainer.step, Instant::now()));
        Ok(trainer)
    }

    /// Judges a run that a goal ended by the goals of the plan, which may be others than those of then. `last` is the running loss
    /// and accuracy of the last epoch; an epoch that is not whole any more is not judged.
    pub(crate) fn judge_again(&mut self, last: Option<(f64, Option<f64>)>) {
        let last = last.filter(|_| self.step.is_multiple_of(self.plan.steps_per_epoch));
        self.goal = self.goal.take().and(last).and_then(|(loss, accuracy)| self.plan.config.train.goal(loss, accuracy));
    }
}

/// No step, row or measurement has a number beyond it.
const MOST: u64 = 1 << 53;

/// Refuses counts to which nothing could be added.
fn check_counts(plan: &Plan, progress: &Progress) -> Result<(), String> {
    let n = plan.train.len() as u64;
    for (key, found, most) in [
        ("step", progress.step, MOST),
        ("rows", progress.rows, MOST),
        ("measurements", progress.measurements, MOST),
        ("epoch_samples", progress.epoch_samples as u64, n),
        ("epoch_noise_steps", progress.epoch_noise_steps, n),
    ] {
        if found > most {
            return Err(format!("{key} is {found}, expected at most {most}"));
        }
    }
    Ok(())
}
