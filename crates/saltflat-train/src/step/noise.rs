//! The noise of one step: what it draws, where it acts, and its gradient.

use std::ops::Range;

use burn::tensor::Tensor;
use saltflat_metrics::{Interrupt, MetricError};
use saltflat_models::{Loss, Vector};
use saltflat_noise::{ActsOn, OutputNoise, Targets};

use super::{
    batch::StepBatch,
    scheduled_noise::{ScheduledNoise, ScheduledNoises},
};

/// All noises of a step and everything that they have drawn. Draws are those of the whole batch, so neither microbatches nor
/// a second pass at another θ change them.
pub(crate) struct StepNoise<'a> {
    pub(super) batch: &'a StepBatch<'a>,
    pub(super) scheduled: ScheduledNoises<'a>,
    /// Of each noise, in the same order.
    drawn: Vec<DrawnNoise>,
    pub(super) expected: Targets,
    /// The targets of the loss: the drawn ones, or the expected ones if no noise trains on drawn ones.
    pub(super) targets: Vec<f32>,
}

/// What a step has drawn for one of its noises.
struct DrawnNoise {
    /// True if the loss of the step is on the drawn targets, so that its gradient has the noise already.
    is_in_loss: bool,
    /// Noise at the outputs. That of drawn targets is here too: to be measured, to be scaled, or as a reference.
    output: Option<OutputNoise>,
}

/// What is known of one of a step's noises before the gradient is computed.
#[derive(Default)]
pub(crate) struct Contribution {
    /// c of the noise c ξ; 1 if it is absent.
    pub(crate) scale: Option<Tensor<1>>,
    /// ξ, if it was measured.
    pub(crate) gradient: Option<Vector>,
}

impl<'a> StepNoise<'a> {
    /// Draws the noises of the batch, and with them the targets of its loss.
    pub(crate) fn draw(batch: &'a StepBatch<'a>) -> Self {
        let plan = batch.plan;
        let scheduled = ScheduledNoises::new(plan, batch.step);
        let expected = plan.train.targets_with_loss(&scheduled.loss, batch.indices);
        let mut targets = expected.values.clone();
        let draw = |one: &ScheduledNoise| {
            let mut drawn = expected.clone();
            one.noise().draw_targets(one.at, &mut drawn);
            let output = match one.uses_drawn_targets() {
                true => Some(OutputNoise::of_targets(&expected, &drawn)),
                false => one.noise().draw_output_noise(one.at, batch.indices.len(), plan.network.outputs()),
            };
            let is_in_loss = one.noise().randomises_targets() && one.strength.is_none();
            if is_in_loss {
                targets = drawn.values;
            }
            DrawnNoise { is_in_loss, output }
        };
        let drawn = scheduled.noises.iter().map(draw).collect();
        Self { batch, scheduled, drawn, expected, targets }
    }

    /// The expected loss of this step.
    pub(crate) fn loss(&self) -> &Loss {
        &self.scheduled.loss
    }

    /// The smallest value that the expected loss of this step can have.
    pub(crate) fn floor(&self) -> f64 {
        self.loss().floor(self.batch.plan.network.outputs())
    }

    /// True if the targets of the loss are the expected ones.
    pub(super) fn trains_on_expected(&self) -> bool {
        self.drawn.iter().all(|drawn| !drawn.is_in_loss)
    }

    /// True if the noise with this index cannot be added to the output gradient: it is made of another gradient, or its
    /// size is not known before the whole batch was seen.
    pub(crate) fn needs_separate_noise_gradient(&self, index: usize) -> bool {
        let one = &self.scheduled.noises[index];
        let needs_whole_batch = || one.noise().scales_with_loss() && self.batch.microbatches().len() > 1;
        !one.is_silent() && (one.noise().properties().acts_on == ActsOn::Gradient || needs_whole_batch())
    }

    /// What the noise with this index, times its scale, adds to the output gradient of these rows, `[rows, C]`, if it is added there.
    /// `outputs` and the expected targets `[rows, C]` are not differentiated; `losses` is the sum of the rows' expected losses.
    pub(super) fn output_perturbation(
        &self,
        (index, scale): (usize, Option<&Tensor<1>>),
        outputs: &Tensor<2>,
        expected: &Tensor<2>,
        losses: impl FnOnce() -> Tensor<1>,
        rows: Range<usize>,
    ) -> Option<Tensor<2>> {
        let (one, drawn) = (&self.scheduled.noises[index], &self.drawn[index]);
        if drawn.is_in_loss || self.needs_separate_noise_gradient(index) || one.is_silent() {
            return None;
        }
        let mut cotangent = drawn.output.as_ref()?.cotangent(self.loss(), outputs.clone(), expected.clone(), rows);
        for scale in self.loss_scale(index, losses).iter().chain(scale) {
            cotangent = cotangent * scale.clone().reshape([1, 1]);
        }
        Some(cotangent)
    }

    /// The noise ξ of this index in the gradient at `theta`, as if no other noise acted: from the expected targets. Absent if the noise
    /// acts on neither targets, outputs nor gradient.
    pub(crate) fn noise_gradient(
        &self,
        index: usize,
        theta: &Vector,
        buffers: &Vector,
        interrupt: Interrupt<'_>,
    ) -> Result<Option<Vector>, MetricError> {
        let (one, output, batch) = (&self.scheduled.noises[index], &self.drawn[index].output, self.batch);
        if output.is_none() && one.noise().properties().acts_on != ActsOn::Gradient {
            return Ok(None);
        }
        if batch.indices.is_empty() {
            return Ok(Some(theta.zeros_like()));
        }
        let mut reference: Option<Vector> = None;
        let mut total: Option<Tensor<1>> = None;
        for rows in batch.microbatches() {
            if rows.start > 0 {
                interrupt.check()?;
            }
            let leaves = if output.is_some() { theta.leaves() } else { theta.clone() };
            let inputs = batch.inputs(rows.clone());
            let mut pass = batch.training_pass(&leaves, buffers, rows.start);
            let outputs = batch.plan.network.forward(inputs, &mut pass).value;
            let target = batch.upload(&self.expected.values, rows.clone());
            let losses = self.loss().value(outputs.clone().without_autodiff(), target.clone()).sum();
            total = Some(total.map_or(losses.clone(), |total| total + losses));
            if let Some(noise) = output {
                let found = noise.gradient(self.loss(), &leaves, outputs, target, rows, batch.divisor);
                reference = Some(reference.map_or(found.clone(), |sum| sum.plus(&found)));
            }
        }
        let Some(found) = one.noise().gradient_noise(one.at, reference, theta) else { return Ok(None) };
        Ok(Some(match total.and_then(|losses| self.loss_scale(index, || losses)) {
            None => found,
            Some(scale) => found.map(|t| t * scale.clone()),
        }))
    }

    /// √(2L), one element, with the expected loss L of these samples counted from its floor, if the noise with this index is
    /// multiplied by it.
    fn loss_scale(&self, index: usize, losses: impl FnOnce() -> Tensor<1>) -> Option<Tensor<1>> {
        self.scheduled.noises[index].noise().scales_with_loss().then(|| {
            let mean = losses().without_autodiff().mul_scalar(1.0 / self.batch.indices.len() as f64);
            (mean - self.floor()).clamp_min(0.0).mul_scalar(2.0).sqrt()
        })
    }

    /// The parameters after an update with this learning rate, displaced by the noises that act on them.
    pub(crate) fn displace(&self, mut theta: Vector, lr: f64, squares: &mut NoiseSquares) -> Vector {
        for one in &self.scheduled.noises {
            if let Some(displacement) = one.displacement(&theta, lr) {
                squares.add_displacement(&displacement, lr);
                theta = theta.plus(&displacement);
            }
        }
        theta
    }
}

/// ‖ξ‖² of a step, summed over its noises: they are independent and of mean zero, so that E‖ξ‖² of their sum is the sum of
/// theirs.
pub(crate) struct NoiseSquares {
    pub(super) is_measured: bool,
    pub(crate) sum: Option<Tensor<1>>,
}

impl NoiseSquares {
    /// Adds ‖ξ‖² of one noise, one element.
    pub(super) fn add(&mut self, squared: Tensor<1>) {
        self.sum = Some(match self.sum.take() {
            Some(sum) => sum + squared,
            None => squared,
        });
    }

    /// Adds a displacement of the parameters as the gradient noise that moves them as far. At η = 0 there is none, and the step
    /// has no ‖ξ‖².
    fn add_displacement(&mut self, displacement: &Vector, lr: f64) {
        if !self.is_measured {
            return;
        }
        // A schedule's factor may make lr so small that its square underflows.
        match lr * lr >= f64::MIN_POSITIVE {
            true => self.add(displacement.norm_squared().mul_scalar(1.0 / (lr * lr))),
            false => *self = Self { is_measured: false, sum: None },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use burn::tensor::{DType, Device};

    use super::*;
    use crate::{Plan, config::Config};

    const FLIPS: &str = r#"
        data = { kind = "mnist-1k", limit = 20 }
        model = { kind = "mlp", hidden = [4] }
        loss = { kind = "cross_entropy" }
        optimizer = { lr = 0.1, batch_size = 20 }
        train = { epochs = 3 }
        [noise]
        kind = "label-flip"
        probability = 0.2
        schedule = { kind = "step-decay", at_steps = [2, 4], factor = 0.5 }
    "#;

    /// p = 0.2, halved at steps 2 and 4: the expected target has 1 − p on the label and p/9 on the other nine classes.
    #[test]
    fn expected_target_follows_the_probability() {
        let config = Config::read(FLIPS, Path::new("flips.toml"), &[]).expect("it is right");
        let plan = Plan::new(config, &Device::flex(), DType::F32).expect("it fits");
        let indices: Vec<u32> = (0..20).collect();
        for (step, p) in [(0, 0.2), (1, 0.2), (2, 0.1), (3, 0.1), (4, 0.05)] {
            let batch = StepBatch::new(&plan, &indices, step);
            let step = StepNoise::draw(&batch);
            let labels = step.expected.labels.clone().expect("classes");
            for (target, label) in step.expected.values.chunks(10).zip(labels) {
                for (c, &q) in target.iter().enumerate() {
                    let expected = if c == label as usize { 1.0 - p } else { p / 9.0 };
                    assert!((f64::from(q) - expected).abs() < 1e-7);
                }
            }
            let entropy = -(1.0 - p) * (1.0f64 - p).ln() - p * (p / 9.0).ln();
            assert!((step.floor() - entropy).abs() < 1e-12);
        }
        // What is measured keeps the first probability.
        assert_eq!(plan.loss.smoothing, 0.2);
    }
}
