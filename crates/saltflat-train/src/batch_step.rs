//! The gradient of one step, with its noise.

use std::ops::Range;

use burn::tensor::{FloatDType, Tensor};
use saltflat_data::{BatchSampling, Change};
use saltflat_metrics::Samples;
use saltflat_models::{Loss, Pass, Vector};
use saltflat_noise::{Moment, OutputNoise, Targets};
use saltflat_random::{Key, Stream};

use crate::{Plan, step_noise::StepNoise};

/// A step's samples and everything that is drawn for them. Draws are those of the whole batch, so neither microbatches nor
/// a second pass at another θ change them.
pub(crate) struct BatchStep<'a> {
    plan: &'a Plan,
    indices: &'a [u32],
    /// What the sum over the samples is divided by: their number, or with Bernoulli sampling its expectation.
    pub(crate) divisor: usize,
    at: Moment,
    /// Of each image, where images are augmented.
    changes: Option<Vec<Change>>,
    /// The expected loss of this step: its smoothing follows the schedule of the noise.
    pub(crate) loss: Loss,
    expected: Targets,
    /// The targets of the loss: the drawn ones, or the expected ones where the noise comes by another way.
    targets: Vec<f32>,
    by_targets: bool,
    /// Noise at the outputs. That of drawn targets is here too: to be measured, to be scaled, or as a reference.
    output: Option<OutputNoise>,
    /// E‖ξ‖² that this step's noise is scaled to.
    pub(crate) strength: Option<f64>,
    /// The schedule of the noise.
    pub(crate) factor: f64,
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
        let noise = config.noise.noise();
        let StepNoise { at, factor, strength, loss } = StepNoise::new(plan, step);
        let expected = plan.train.targets_under(&loss, indices);
        let mut drawn = expected.clone();
        noise.draw_targets(at, &mut drawn);
        let output = match config.noise.reference().noise().randomises_targets() {
            true => Some(OutputNoise::of_targets(&expected, &drawn)),
            false => noise.output_noise(at, indices.len(), outputs),
        };
        let key = || Key::new(config.run.seed, Stream::Augmentation, step).part(0);
        let changes = config.data.augment.then(|| Change::draw(key(), indices.len()));
        let by_targets = noise.randomises_targets() && strength.is_none();
        let targets = if by_targets { drawn.values } else { expected.values.clone() };
        let divisor = match config.optimizer.sampling {
            BatchSampling::Epoch | BatchSampling::Independent => indices.len(),
            BatchSampling::Bernoulli => plan.batch_size,
        };
        Self { plan, indices, divisor, at, changes, loss, expected, targets, by_targets, output, strength, factor }
    }

    pub(crate) fn at(&self) -> Moment {
        self.at
    }

    /// True where the noise cannot be added to the output gradient: it is made of another gradient, or its size is not known
    /// before the whole batch was seen.
    pub(crate) fn adds_alone(&self) -> bool {
        let noise = self.plan.config.noise.noise();
        !self.is_silent() && (noise.acts_on_gradient() || noise.scales_with_loss() && self.microbatches().len() > 1)
    }

    fn is_silent(&self) -> bool {
        self.strength == Some(0.0)
    }

    /// The noise that is added to the output gradient.
    fn merged(&self) -> Option<&OutputNoise> {
        self.output.as_ref().filter(|_| !self.by_targets && !self.adds_alone() && !self.is_silent())
    }

    /// The gradient at `theta` with the noise c ξ; c = 1 where it is absent. `alone` is ξ where the noise
    /// [is added alone](Self::adds_alone).
    pub(crate) fn gradient(
        &self,
        theta: &Vector,
        buffers: &Vector,
        c: Option<&Tensor<1>>,
        alone: Option<&Vector>,
    ) -> BatchGradient {
        let plan = self.plan;
        let mut total: Option<BatchGradient> = None;
        for rows in self.microbatches() {
            let buffers = total.as_ref().map_or(buffers, |total| &total.buffers);
            let leaves = theta.leaves();
            let (half, full) = (plan.config.train.precision.half(), FloatDType::from(plan.dtype));
            let working = leaves.map(|t| t.cast(half.unwrap_or(full)));
            let mut pass = Pass::value(&working, buffers).training();
            let inputs = self.inputs(rows.clone()).cast(half.unwrap_or(full));
            let outputs = plan.network.forward(inputs, &mut pass).value.cast(full);
            let buffers = pass.updated_buffers();
            let target = self.upload(&self.targets, rows.clone());
            let plain = outputs.clone().without_autodiff();
            let losses = self.loss.value(outputs.clone(), target.clone()).sum();
            let objective = match self.merged() {
                None => losses.clone(),
                Some(noise) => {
                    let mut cotangent = noise.cotangent(&self.loss, plain.clone(), target, rows.clone());
                    for scale in self.loss_scale(&losses).iter().chain(c) {
                        cotangent = cotangent * scale.clone().reshape([1, 1]);
                    }
                    losses.clone() + (outputs * cotangent).sum()
                }
            };
            // In half precision of the sum, whose small entries do not vanish, then of the mean.
            let mean = 1.0 / self.divisor as f64;
            let gradient = match half {
                None => leaves.take_gradients(&mut objective.mul_scalar(mean).backward()),
                Some(_) => leaves.take_gradients(&mut objective.backward()).scale(mean),
            };
            let expected = self.upload(&self.expected.values, rows);
            let found = BatchGradient {
                gradient,
                buffers,
                losses: losses.without_autodiff(),
                correct: plan.train.scoring().correct(plain, expected),
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
        if let Some(noise) = alone.filter(|_| self.adds_alone()) {
            let noise = c.map_or_else(|| noise.clone(), |c| noise.map(|t| t * c.clone()));
            total.gradient = total.gradient.plus(&noise);
        }
        total
    }

    /// The noise ξ by itself, before it is scaled, (1/B) Σᵢ Jᵢᵀ νᵢ or what is made of it; absent where the noise does not act on
    /// the gradient. Costs one gradient, a forward pass where only the loss is needed.
    pub(crate) fn noise_alone(&self, theta: &Vector, buffers: &Vector) -> Option<Vector> {
        let noise = self.plan.config.noise.noise();
        if self.output.is_none() && !noise.acts_on_gradient() {
            return None;
        }
        if self.indices.is_empty() {
            return Some(theta.zeros_like());
        }
        let mut reference: Option<Vector> = None;
        let mut total: Option<Tensor<1>> = None;
        for rows in self.microbatches() {
            let leaves = if self.output.is_some() { theta.leaves() } else { theta.clone() };
            let inputs = self.inputs(rows.clone());
            let outputs = self.plan.network.forward(inputs, &mut Pass::value(&leaves, buffers).training()).value;
            let plain = outputs.clone().without_autodiff();
            let target = self.upload(&self.expected.values, rows.clone());
            let losses = self.loss.value(plain.clone(), target.clone()).sum();
            total = Some(total.map_or(losses.clone(), |total| total + losses));
            if let Some(noise) = &self.output {
                let cotangent = noise.cotangent(&self.loss, plain, target, rows);
                let objective = (outputs * cotangent).sum().mul_scalar(1.0 / self.divisor as f64);
                let found = leaves.take_gradients(&mut objective.backward());
                reference = Some(reference.map_or(found.clone(), |sum| sum.plus(&found)));
            }
        }
        let found = noise.shape(self.at, reference, theta)?;
        Some(match total.and_then(|losses| self.loss_scale(&losses)) {
            None => found,
            Some(scale) => found.map(|t| t * scale.clone()),
        })
    }

    /// √(2L), L the batch's loss counted from its floor, where the noise asks for it: one element.
    fn loss_scale(&self, losses: &Tensor<1>) -> Option<Tensor<1>> {
        self.plan.config.noise.noise().scales_with_loss().then(|| {
            let mean = losses.clone().without_autodiff().mul_scalar(1.0 / self.indices.len() as f64);
            (mean - self.floor()).clamp_min(0.0).mul_scalar(2.0).sqrt()
        })
    }

    /// The floor of this step's expected loss.
    pub(crate) fn floor(&self) -> f64 {
        self.loss.floor(self.plan.network.outputs())
    }

    fn microbatches(&self) -> Vec<Range<usize>> {
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
