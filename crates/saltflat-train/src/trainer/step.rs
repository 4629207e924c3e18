//! One step.

use saltflat_metrics::{Interrupt, MetricError};

use super::Trainer;
use crate::step::{StepBatch, StepNoise};

impl Trainer<'_> {
    /// One step on the samples with these indices. Of no sample, which Bernoulli sampling can draw, the gradient is 0.
    pub fn make_step(&mut self, indices: &[u32]) {
        // It cannot fail, because nothing interrupts it.
        let made = self.make_step_unless(indices, Interrupt::default());
        debug_assert!(made.is_ok());
    }

    /// [`make_step`](Self::make_step); one that is interrupted between its passes has changed nothing.
    pub(super) fn make_step_unless(&mut self, indices: &[u32], interrupt: Interrupt<'_>) -> Result<(), MetricError> {
        let (plan, config) = (self.plan, &self.plan.config);
        let lr = config.optimizer.lr * config.schedule.factor(self.step, plan.steps_per_epoch, plan.steps);
        let batch = StepBatch::new(plan, indices, self.step);
        let noise = StepNoise::draw(&batch);
        let mut measured = self.noise.measure(&noise, &self.theta, &self.buffers, interrupt)?;
        let mut found = noise.gradient(&self.theta, &self.buffers, &measured.contributions, interrupt)?;
        // Moved out, not cloned: the optimizer may update it in place.
        let mut gradient = std::mem::take(&mut found.gradient);
        if let Some(sam) = &config.optimizer.sam {
            let ascended = sam.ascend(&self.theta, &gradient);
            measured.contributions.iter_mut().for_each(|contribution| contribution.gradient = None);
            gradient = noise.gradient(&ascended, &self.buffers, &measured.contributions, interrupt)?.gradient;
        }
        // From here on nothing interrupts it.
        self.epoch.add(&found, noise.floor(), indices.len());
        self.buffers = found.buffers;
        let theta = self.sgd.step(std::mem::take(&mut self.theta), gradient, lr);
        self.theta = noise.displace(theta, lr, &mut measured.squares);
        if let Some(squared) = self.noise.record(measured) {
            self.epoch.add_noise(squared);
        }
        self.epoch.lr = lr;
        self.step += 1;
        Ok(())
    }

    /// Makes step number `step`, whatever was before.
    pub(crate) fn make_step_number(&mut self, step: u64, indices: &[u32]) {
        self.step = step;
        self.make_step(indices);
    }
}
