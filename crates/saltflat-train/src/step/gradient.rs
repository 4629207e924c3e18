//! The gradient of one step, with its noise.

use burn::tensor::{FloatDType, Tensor};
use saltflat_metrics::{Interrupt, MetricError, Samples};
use saltflat_models::Vector;

use super::noise::{Contribution, StepNoise};

/// What one pass over the batch gives.
pub(crate) struct BatchGradient {
    pub(crate) gradient: Vector,
    /// After a training step.
    pub(crate) buffers: Vector,
    /// Σ of the samples' losses, floors included.
    pub(crate) losses: Tensor<1>,
    /// Number of samples that were classified rightly, if that has a meaning.
    pub(crate) correct: Option<Tensor<1>>,
}

impl StepNoise<'_> {
    /// The gradient of the batch's loss at `theta` with every noise, of each of which there is a contribution. The draws are the same at any
    /// θ; a ξ that a contribution holds is that at `theta`.
    pub(crate) fn gradient(
        &self,
        theta: &Vector,
        buffers: &Vector,
        contributions: &[Contribution],
        interrupt: Interrupt<'_>,
    ) -> Result<BatchGradient, MetricError> {
        let (plan, batch) = (self.batch.plan, self.batch);
        let mut total: Option<BatchGradient> = None;
        for rows in batch.microbatches() {
            if rows.start > 0 {
                interrupt.check()?;
            }
            let buffers = total.as_ref().map_or(buffers, |total| &total.buffers);
            let leaves = theta.leaves();
            let (half, full) = (plan.config.train.precision.half(), FloatDType::from(plan.dtype));
            let working = leaves.map(|t| t.cast(half.unwrap_or(full)));
            let mut pass = batch.training_pass(&working, buffers, rows.start);
            let inputs = batch.inputs(rows.clone()).cast(half.unwrap_or(full));
            let outputs = plan.network.forward(inputs, &mut pass).value.cast(full);
            let buffers = pass.updated_buffers();
            let plain = outputs.clone().without_autodiff();
            let target = batch.upload(&self.targets, rows.clone());
            let losses = self.loss().value(outputs.clone(), target.clone()).sum();
            // On the device already, unless a noise has drawn the targets of the loss.
            let expected = match self.trains_on_expected() {
                true => target.clone(),
                false => batch.upload(&self.expected.values, rows.clone()),
            };
            // Of the expected loss, whatever targets another noise has drawn.
            let expected_losses = || match self.trains_on_expected() {
                true => losses.clone(),
                false => self.loss().value(plain.clone(), expected.clone()).sum(),
            };
            let perturbations = contributions.iter().enumerate().filter_map(|(index, contribution)| {
                let term = (index, contribution.scale.as_ref());
                self.output_perturbation(term, &plain, &expected, expected_losses, rows.clone())
            });
            let objective = match perturbations.reduce(|sum, perturbation| sum + perturbation) {
                None => losses.clone(),
                Some(perturbation) => losses.clone() + (outputs * perturbation).sum(),
            };
            // In half precision of the sum, whose small entries do not vanish, then of the mean.
            let mean = 1.0 / batch.divisor as f64;
            let gradient = match half {
                None => leaves.take_gradients(&mut objective.mul_scalar(mean).backward()),
                Some(_) => leaves.take_gradients(&mut objective.backward()).scale(mean),
            };
            let found = BatchGradient {
                gradient,
                buffers,
                losses: losses.without_autodiff(),
                correct: plan.train.scoring().correct(plain.clone(), expected),
            };
            total = Some(match total {
                None => found,
                Some(sum) => BatchGradient {
                    gradient: sum.gradient.plus(&found.gradient),
                    buffers: found.buffers,
                    losses: sum.losses + found.losses,
                    correct: sum.correct.zip(found.correct).map(|(a, b)| a + b),
                },
            });
        }
        // Of no sample, which Bernoulli sampling can draw, the sum is 0.
        let mut total = total.unwrap_or_else(|| BatchGradient {
            gradient: theta.zeros_like(),
            buffers: buffers.clone(),
            losses: Tensor::zeros([1], (&plan.device, plan.dtype)),
            correct: None,
        });
        for (index, Contribution { scale, gradient }) in contributions.iter().enumerate() {
            let noise = match (self.needs_separate_noise_gradient(index), gradient) {
                (false, _) => None,
                (true, Some(noise)) => Some(noise.clone()),
                (true, None) => self.noise_gradient(index, theta, buffers, interrupt)?,
            };
            if let Some(noise) = noise {
                let noise = scale.as_ref().map_or_else(|| noise.clone(), |c| noise.map(|t| t * c.clone()));
                total.gradient = total.gradient.plus(&noise);
            }
        }
        Ok(total)
    }
}
