//! The gradient of one step, with its noise.

use std::ops::Range;

use burn::tensor::{FloatDType, Tensor};
use saltflat_data::{BatchSampling, Change};
use saltflat_metrics::{Interrupt, MetricError, Samples};
use saltflat_models::{Loss, Pass, Vector};
use saltflat_noise::{ActsOn, OutputNoise, Targets};
use saltflat_random::{Key, Stream};

use crate::{
    Plan,
    step_noise::{NoiseAtStep, StepNoise},
};

/// A step's samples and everything that is drawn for them. Draws are those of the whole batch, so neither microbatches nor
/// a second pass at another θ change them.
pub(crate) struct BatchStep<'a> {
    plan: &'a Plan,
    indices: &'a [u32],
    /// What the sum over the samples is divided by: their number, or with Bernoulli sampling its expectation.
    pub(crate) divisor: usize,
    /// Of each image, where images are augmented.
    changes: Option<Vec<Change>>,
    pub(crate) noise: StepNoise<'a>,
    /// Of each noise, in the same order.
    drawn: Vec<DrawnNoise>,
    expected: Targets,
    /// The targets of the loss: the drawn ones, or the expected ones where no noise trains on drawn ones.
    targets: Vec<f32>,
}

/// What a step has drawn for one of its noises.
struct DrawnNoise {
    /// True where the loss of the step is on the drawn targets, so that the noise is in its gradient already.
    by_targets: bool,
    /// Noise at the outputs. That of drawn targets is here too: to be measured, to be scaled, or as a reference.
    output: Option<OutputNoise>,
}

/// What is known of one of a step's noises before the gradient is made.
#[derive(Default)]
pub(crate) struct Contribution {
    /// c of the noise c ξ; 1 where it is absent.
    pub(crate) scale: Option<Tensor<1>>,
    /// ξ, where it was measured or the noise [is added alone](BatchStep::adds_alone).
    pub(crate) gradient: Option<Vector>,
}

/// What one pass over the batch gives.
pub(crate) struct BatchGradient {
    pub(crate) gradient: Vector,
    /// After a training step.
    pub(crate) buffers: Vector,
    /// Σ of the samples' losses, floors included.
    pub(crate) losses: Tensor<1>,
    /// Number of samples that were classified rightly, where that has a meaning.
    pub(crate) correct: Option<Tensor<1>>,
}

impl<'a> BatchStep<'a> {
    pub(crate) fn new(plan: &'a Plan, indices: &'a [u32], step: u64) -> Self {
        let (config, outputs) = (&plan.config, plan.network.outputs());
        let noise = StepNoise::new(plan, step);
        let expected = plan.train.targets_under(&noise.loss, indices);
        let mut targets = expected.values.clone();
        let draw = |one: &NoiseAtStep| {
            let mut drawn = expected.clone();
            one.noise().draw_targets(one.at, &mut drawn);
            let output = match one.is_of_targets() {
                true => Some(OutputNoise::of_targets(&expected, &drawn)),
                false => one.noise().draw_output_noise(one.at, indices.len(), outputs),
            };
            let by_targets = one.noise().randomises_targets() && one.strength.is_none();
            if by_targets {
                targets = drawn.values;
            }
            DrawnNoise { by_targets, output }
        };
        let drawn = noise.noises.iter().map(draw).collect();
        let key = || Key::new(config.run.seed, Stream::Augmentation, step).part(0);
        let changes = config.data.augment.then(|| Change::draw(key(), indices.len()));
        let divisor = match config.optimizer.sampling {
            BatchSampling::Epoch | BatchSampling::Independent => indices.len(),
            BatchSampling::Bernoulli => plan.batch_size,
        };
        Self { plan, indices, divisor, changes, noise, drawn, expected, targets }
    }

    /// The expected loss of this step.
    fn loss(&self) -> &Loss {
        &self.noise.loss
    }

    /// True where the noise with this index cannot be added to the output gradient: it is made of another gradient, or its
    /// size is not known before the whole batch was seen.
    pub(crate) fn adds_alone(&self, index: usize) -> bool {
        let one = &self.noise.noises[index];
        let whole = || one.noise().scales_with_loss() && self.microbatches().len() > 1;
        !one.is_silent() && (one.noise().properties().acts_on == ActsOn::Gradient || whole())
    }

    /// The noise with this index, where it is added to the output gradient.
    fn merged(&self, index: usize) -> Option<&OutputNoise> {
        let drawn = &self.drawn[index];
        let is_merged = !drawn.by_targets && !self.adds_alone(index) && !self.noise.noises[index].is_silent();
        drawn.output.as_ref().filter(|_| is_merged)
    }

    /// The gradient at `theta` with every noise, of each of which there is a contribution.
    ///
    /// # Errors
    /// [`MetricError::Interrupted`], which is asked for between the passes of a batch that takes several.
    pub(crate) fn gradient(
        &self,
        theta: &Vector,
        buffers: &Vector,
        contributions: &[Contribution],
        interrupt: Interrupt<'_>,
    ) -> Result<BatchGradient, MetricError> {
        let plan = self.plan;
        let mut total: Option<BatchGradient> = None;
        for rows in self.microbatches() {
            if rows.start > 0 {
                interrupt.check()?;
            }
            let buffers = total.as_ref().map_or(buffers, |total| &total.buffers);
            let leaves = theta.leaves();
            let (half, full) = (plan.config.train.precision.half(), FloatDType::from(plan.dtype));
            let working = leaves.map(|t| t.cast(half.unwrap_or(full)));
            let mut pass = Pass::value(&working, buffers).training();
            let inputs = self.inputs(rows.clone()).cast(half.unwrap_or(full));
            let outputs = plan.network.forward(inputs, &mut pass).value.cast(full);
            let buffers = pass.updated_buffers();
            let plain = outputs.clone().without_autodiff();
            let target = self.upload(&self.targets, rows.clone());
            let losses = self.loss().value(outputs.clone(), target.clone()).sum();
            // On the device already, unless a noise has drawn the targets of the loss.
            let expected = || match self.trains_on_expected() {
                true => target.clone(),
                false => self.upload(&self.expected.values, rows.clone()),
            };
            let cotangents = contributions.iter().enumerate().filter_map(|(index, contribution)| {
                let drawn = self.merged(index)?;
                let expected = expected();
                // Of the expected loss, whatever targets another noise has drawn.
                let losses = || match self.trains_on_expected() {
                    true => losses.clone(),
                    false => self.loss().value(plain.clone(), expected.clone()).sum(),
                };
                let mut cotangent = drawn.cotangent(self.loss(), plain.clone(), expected.clone(), rows.clone());
                for scale in self.loss_scale(index, losses).iter().chain(&contribution.scale) {
                    cotangent = cotangent * scale.clone().reshape([1, 1]);
                }
                Some(cotangent)
            });
            let objective = match cotangents.reduce(|sum, cotangent| sum + cotangent) {
                None => losses.clone(),
                Some(cotangent) => losses.clone() + (outputs * cotangent).sum(),
            };
            // In half precision of the sum, whose small entries do not vanish, then of the mean.
            let mean = 1.0 / self.divisor as f64;
            let gradient = match half {
                None => leaves.take_gradients(&mut objective.mul_scalar(mean).backward()),
                Some(_) => leaves.take_gradients(&mut objective.backward()).scale(mean),
            };
            let found = BatchGradient {
                gradient,
                buffers,
                losses: losses.without_autodiff(),
                correct: plan.train.scoring().correct(plain, expected()),
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
            if let Some(noise) = gradient.as_ref().filter(|_| self.adds_alone(index)) {
                let noise = scale.as_ref().map_or_else(|| noise.clone(), |c| noise.map(|t| t * c.clone()));
                total.gradient = total.gradient.plus(&noise);
            }
        }
        Ok(total)
    }

    fn trains_on_expected(&self) -> bool {
        !self.drawn.iter().any(|drawn| drawn.by_targets)
    }

    /// The noise ξ with this index by itself, before it is scaled, (1/B) Σᵢ Jᵢᵀ νᵢ or what is made of it; absent where the noise
    /// does not act on the gradient. Costs one gradient, a forward pass where only the loss is needed.
    ///
    /// # Errors
    /// As [`gradient`](Self::gradient).
    pub(crate) fn noise_alone(
        &self,
        index: usize,
        theta: &Vector,
        buffers: &Vector,
        interrupt: Interrupt<'_>,
    ) -> Result<Option<Vector>, MetricError> {
        let (one, output) = (&self.noise.noises[index], &self.drawn[index].output);
        if output.is_none() && one.noise().properties().acts_on != ActsOn::Gradient {
            return Ok(None);
        }
        if self.indices.is_empty() {
            return Ok(Some(theta.zeros_like()));
        }
        let mut reference: Option<Vector> = None;
        let mut total: Option<Tensor<1>> = None;
        for rows in self.microbatches() {
            if rows.start > 0 {
                interrupt.check()?;
            }
            let leaves = if output.is_some() { theta.leaves() } else { theta.clone() };
            let inputs = self.inputs(rows.clone());
            let outputs = self.plan.network.forward(inputs, &mut Pass::value(&leaves, buffers).training()).value;
            let plain = outputs.clone().without_autodiff();
            let target = self.upload(&self.expected.values, rows.clone());
            let losses = self.loss().value(plain.clone(), target.clone()).sum();
            total = Some(total.map_or(losses.clone(), |total| total + losses));
            if let Some(noise) = output {
                let cotangent = noise.cotangent(self.loss(), plain, target, rows);
                let objective = (outputs * cotangent).sum().mul_scalar(1.0 / self.divisor as f64);
                let found = leaves.take_gradients(&mut objective.backward());
                reference = Some(reference.map_or(found.clone(), |sum| sum.plus(&found)));
            }
        }
        let Some(found) = one.noise().gradient_noise(one.at, reference, theta) else { return Ok(None) };
        Ok(Some(match total.and_then(|losses| self.loss_scale(index, || losses)) {
            None => found,
            Some(scale) => found.map(|t| t * scale.clone()),
        }))
    }

    /// √(2L), L the batch's expected loss counted from its floor, where the noise with this index asks for it: one element.
    fn loss_scale(&self, index: usize, losses: impl FnOnce() -> Tensor<1>) -> Option<Tensor<1>> {
        self.noise.noises[index].noise().scales_with_loss().then(|| {
            let mean = losses().without_autodiff().mul_scalar(1.0 / self.indices.len() as f64);
            (mean - self.floor()).clamp_min(0.0).mul_scalar(2.0).sqrt()
        })
    }

    /// The floor of this step's expected loss.
    pub(crate) fn floor(&self) -> f64 {
        self.loss().floor(self.plan.network.outputs())
    }

    pub(crate) fn microbatches(&self) -> Vec<Range<usize>> {
        let (n, size) = (self.indices.len(), self.plan.microbatch());
        (0..n).step_by(size).map(|start| start..(start + size).min(n)).collect()
    }

    fn inputs(&self, rows: Range<usize>) -> Tensor<4> {
        let changes = self.changes.as_ref().map(|changes| &changes[rows.clone()]);
        self.plan.train.inputs(&self.indices[rows], changes)
    }

    fn upload(&self, targets: &[f32], rows: Range<usize>) -> Tensor<2> {
        let outputs = self.plan.network.outputs();
        self.plan.train.upload(&targets[rows.start * outputs..rows.end * outputs])
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use burn::tensor::{DType, Device};

    use super::*;
    use crate::config::Config;

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
            let step = BatchStep::new(&plan, &indices, step);
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
