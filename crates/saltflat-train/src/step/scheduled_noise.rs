//! How strong the noises are at a step, and what the expected loss is there, before anything is drawn.

use saltflat_metrics::FLIPS_WITH_SQUARE_LOSS;
use saltflat_models::{Loss, LossKind, Vector};
use saltflat_noise::{AnyNoise, Noise, StepContext, substreams};

use crate::{Plan, config::ConfiguredNoise};

/// The noises of one step.
#[derive(Clone, Debug)]
pub(crate) struct ScheduledNoises<'a> {
    /// In the order of the configuration.
    pub(crate) noises: Vec<ScheduledNoise<'a>>,
    /// The expected loss: its smoothing follows the schedule of the noise on the targets.
    pub(crate) loss: Loss,
}

/// A noise at one step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScheduledNoise<'a> {
    config: &'a AnyNoise,
    pub(crate) at: StepContext,
    /// The factor of its schedule.
    factor: f64,
    /// E‖ξ‖² that the noise of this step is scaled to.
    pub(crate) strength: Option<f64>,
}

impl<'a> ScheduledNoises<'a> {
    pub(crate) fn new(plan: &'a Plan, step: u64) -> Self {
        let (configured, outputs) = (&plan.config.noise, plan.network.outputs());
        let all: Vec<&AnyNoise> = configured.iter().map(|one| &one.noise).collect();
        let mut loss = plan.loss;
        let at_step = |(one, substream): (&'a ConfiguredNoise, u32)| {
            let factor = one.schedule.factor(step, plan.steps_per_epoch, plan.steps);
            let strength = one.strength.as_ref().map(|strength| strength.target * factor * factor);
            let noise = &one.noise;
            let smooths = noise.smoothing(outputs, 1.0) != 0.0;
            if smooths && factor != 1.0 {
                loss.smoothing = noise.smoothing(outputs, factor);
            }
            // A given strength includes the factor; only a probability still follows it.
            let factor_of_draws = if strength.is_some() && !smooths { 1.0 } else { factor };
            let at = StepContext { seed: plan.config.run.seed, step, factor: factor_of_draws, substream };
            ScheduledNoise { config: &one.noise, at, factor, strength }
        };
        let noises = configured.iter().zip(substreams(&all)).map(at_step).collect();
        Self { noises, loss }
    }

    /// What ‖ξ‖² of this step, ξ the unscaled label noise of `batch` samples, is multiplied by to estimate tr H of the
    /// measured loss, B or B/σ² ([`saltflat_metrics::expected_label_noise`] derives both), or why it is no estimate. A
    /// schedule of the probability of flips changes the expected loss from step to step, and with it the Hessian that the noise
    /// tells about: such a step says nothing about the measured loss. Nor does a step with noise beside that of the labels,
    /// or with dropout.
    pub(crate) fn trace_factor(&self, plan: &Plan, batch: usize) -> Result<f64, String> {
        plan.config.noise.only_noise()?;
        let label_noise = &self.noises[0];
        let noise = label_noise.noise();
        if !noise.randomises_targets() {
            return Err("the noise draws no labels".into());
        }
        if plan.network.is_random() {
            return Err(
                "the noise of the steps is about the network with dropout, and the measured one has none".into()
            );
        }
        let measured = plan.measured_loss();
        if !self.loss.is_same_as(&measured) {
            return Err(format!(
                "the noise of the steps is about the loss that they train on, {}, and the measured one is {}",
                self.loss, measured
            ));
        }
        if plan.measured_weight_decay() > 0.0 {
            return Err("label noise tells nothing about weight decay, which the measured Hessian has".into());
        }
        let variance = noise.target_sigma().map(|sigma| f64::from(label_noise.at.scaled_sigma(sigma)).powi(2));
        match (self.loss.kind, variance) {
            (LossKind::Square, Some(variance)) if variance > 0.0 => Ok(batch as f64 / variance),
            (LossKind::Square, Some(_)) => Err("the noise on the targets is zero".into()),
            (LossKind::Square, None) => Err(FLIPS_WITH_SQUARE_LOSS.into()),
            (LossKind::CrossEntropy, None) if self.loss.smoothing > 0.0 => Ok(batch as f64),
            (LossKind::CrossEntropy, None) => Err("no label is flipped".into()),
            (LossKind::CrossEntropy, Some(_)) => Err("noise on real targets has no cross-entropy".into()),
        }
    }
}

impl<'a> ScheduledNoise<'a> {
    pub(crate) fn noise(&self) -> &'a dyn Noise {
        &**self.config
    }

    /// True if it is made of drawn targets, its own or those of the noise that it takes its strength from.
    pub(crate) fn uses_drawn_targets(&self) -> bool {
        self.config.reference_or_self().randomises_targets()
    }

    /// True if it is scaled to nothing.
    pub(crate) fn is_silent(&self) -> bool {
        self.strength == Some(0.0)
    }

    /// σ ξ with ξ ~ N(0, I), which displaces the parameters after an update with this learning rate; absent if the noise does not
    /// act on them.
    pub(crate) fn displacement(&self, theta: &Vector, lr: f64) -> Option<Vector> {
        let sigma = self.noise().parameter_sigma(lr)?;
        let sigma = match self.strength {
            None => sigma * self.factor,
            Some(target) => lr * (target / theta.len() as f64).sqrt(),
        };
        self.at.draw_parameter_noise(sigma, theta)
    }
}
