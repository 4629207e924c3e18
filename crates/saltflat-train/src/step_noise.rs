//! How the noise and the expected loss stand at a step.

use saltflat_metrics::FLIPS_WITH_SQUARE_LOSS;
use saltflat_models::{Loss, LossKind};
use saltflat_noise::Moment;

use crate::Plan;

/// The noise of one step, before anything is drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StepNoise {
    pub(crate) at: Moment,
    /// The schedule of the noise.
    pub(crate) factor: f64,
    /// E‖ξ‖² that this step's noise is scaled to.
    pub(crate) strength: Option<f64>,
    /// The expected loss: its smoothing follows the schedule of the noise.
    pub(crate) loss: Loss,
}

impl StepNoise {
    pub(crate) fn new(plan: &Plan, step: u64) -> Self {
        let (config, outputs) = (&plan.config, plan.network.outputs());
        let noise = config.noise.noise();
        let factor = config.noise_schedule.factor(step, plan.steps_per_epoch, plan.steps);
        let strength = config.noise_strength.as_ref().map(|strength| strength.target * factor * factor);
        let follows = noise.smoothing(outputs, 1.0) != 0.0;
        // A given strength has the factor in it; only a probability still follows it.
        let at =
            Moment { seed: config.run.seed, step, factor: if strength.is_some() && !follows { 1.0 } else { factor } };
        let mut loss = plan.loss;
        if follows && factor != 1.0 {
            loss.smoothing = noise.smoothing(outputs, factor);
        }
        Self { at, factor, strength, loss }
    }

    /// What ‖ξ‖² of this step, ξ the unscaled label noise of `batch` samples, is multiplied by to estimate tr H of the
    /// measured loss, B or B/σ² ([`saltflat_metrics::expected_label_noise`] derives both), or why nothing makes it one. A
    /// schedule of the probability of flips changes the expected loss from step to step, and with it the Hessian that the noise
    /// tells about: such a step says nothing about the measured loss.
    pub(crate) fn trace_factor(&self, plan: &Plan, batch: usize) -> Result<f64, String> {
        let noise = plan.config.noise.noise();
        if !noise.randomises_targets() {
            return Err("the noise draws no labels".into());
        }
        let measured = plan.measured_loss();
        if !self.loss.is_same_as(&measured) {
            return Err(format!(
                "the noise of the steps is about the loss that they train on, {}, and the measured one is {}",
                self.loss, measured
            ));
        }
        match (self.loss.kind, noise.target_variance(self.at)) {
            (LossKind::Square, Some(variance)) if variance > 0.0 => Ok(batch as f64 / variance),
            (LossKind::Square, Some(_)) => Err("the noise on the targets is zero".into()),
            (LossKind::Square, None) => Err(FLIPS_WITH_SQUARE_LOSS.into()),
            (LossKind::CrossEntropy, None) if self.loss.smoothing > 0.0 => Ok(batch as f64),
            (LossKind::CrossEntropy, None) => Err("no label is flipped".into()),
            (LossKind::CrossEntropy, Some(_)) => Err("noise on real targets has no cross-entropy".into()),
        }
    }
}
