//! What the noises of a run remember from step to step: how strong they were.

use burn::tensor::Tensor;
use saltflat_metrics::{Estimate, Interrupt, MetricError, NoiseStrength};
use saltflat_models::Vector;
use saltflat_noise::StrengthControl;

use super::noise::{Contribution, NoiseSquares, StepNoise};
use crate::{Plan, state::TensorMap};

/// The measured strengths of the noises of a run.
#[derive(Clone, Debug)]
pub(crate) struct RunNoise {
    /// Of each noise, for its given strength.
    controls: Vec<StrengthControl>,
    /// The label noise of the epoch's steps, which estimates tr H.
    label_noise: NoiseStrength,
}

/// What is known of a step's noises before its gradient is computed.
pub(crate) struct MeasuredNoise {
    /// Of each noise.
    pub(crate) contributions: Vec<Contribution>,
    pub(crate) squares: NoiseSquares,
    controls: Vec<StrengthControl>,
    /// The label noise and the factor of its square, if it is measured in this step.
    label_noise: Option<(Vector, f64)>,
}

impl RunNoise {
    /// Before the first step.
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            controls: vec![StrengthControl::default(); plan.config.noise.count()],
            label_noise: NoiseStrength::default(),
        }
    }

    /// Measures the noises of a step at `theta` if they are due, and scales those of a given strength. Changes nothing before the step
    /// is [recorded](Self::record).
    pub(crate) fn measure(
        &self,
        noise: &StepNoise<'_>,
        theta: &Vector,
        buffers: &Vector,
        interrupt: Interrupt<'_>,
    ) -> Result<MeasuredNoise, MetricError> {
        let (plan, step) = (noise.batch.plan, noise.batch.step);
        let is_reported = plan.reports_noise(step);
        let mut controls = self.controls.clone();
        // In a run's first step nothing is known yet of a noise that has no strength by itself.
        let is_controlled: Vec<bool> = plan
            .config
            .noise
            .iter()
            .zip(&controls)
            .map(|(one, control)| {
                let is_unknown = || control.is_empty() && one.noise.parameter_sigma(0.0).is_none();
                one.strength.is_some_and(|strength| step.is_multiple_of(strength.every) || is_unknown())
            })
            .collect();
        let mut squares = NoiseSquares { is_measured: is_reported || is_controlled.contains(&true), sum: None };
        let mut contributions = Vec::with_capacity(controls.len());
        let mut label_noise = None;
        for (index, one) in noise.scheduled.noises.iter().enumerate() {
            let gradient = match squares.is_measured {
                true => noise.noise_gradient(index, theta, buffers, interrupt)?,
                false => None,
            };
            let squared = gradient.as_ref().map(Vector::norm_squared);
            if let Some(squared) = squared.clone().filter(|_| is_controlled[index]) {
                controls[index].record(squared);
            }
            let scale = one.strength.and_then(|target| controls[index].factor(target));
            if let (Some(gradient), true) = (&gradient, is_reported)
                && let Ok(factor) = noise.scheduled.trace_factor(plan, noise.batch.divisor)
            {
                label_noise = Some((gradient.clone(), factor));
            }
            if let Some(squared) = squared {
                squares.add(scale.clone().map_or(squared.clone(), |c| squared * c.square()));
            }
            contributions.push(Contribution { scale, gradient });
        }
        Ok(MeasuredNoise { contributions, squares, controls, label_noise })
    }

    /// Remembers the noise of a step that was made, and gives its ‖ξ‖² if it was measured.
    pub(crate) fn record(&mut self, measured: MeasuredNoise) -> Option<Tensor<1>> {
        self.controls = measured.controls;
        if let Some((gradient, factor)) = measured.label_noise {
            self.label_noise.record(&gradient, factor);
        }
        measured.squares.sum
    }

    /// The estimate of tr H from the label noise of the steps since the last one; absent if none of them was measured.
    pub(crate) fn take_trace(&mut self) -> Result<Option<Estimate>, MetricError> {
        match self.label_noise.is_empty() {
            true => Ok(None),
            false => self.label_noise.take().map(Some),
        }
    }

    /// Puts it into the tensors of a checkpoint, and gives the weight of each noise's control.
    pub(crate) fn save(&self, tensors: &mut TensorMap) -> Vec<f64> {
        tensors.put("noise_strength.squares", self.label_noise.squares());
        let save = |(index, control): (usize, &StrengthControl)| {
            let (tensor, weight) = control.parts();
            tensors.put(&tensor_name(index), tensor);
            weight
        };
        self.controls.iter().enumerate().map(save).collect()
    }

    /// As it was saved.
    pub(crate) fn restore(plan: &Plan, tensors: &mut TensorMap, weights: &[f64]) -> Result<Self, String> {
        let (found, expected) = (weights.len(), plan.config.noise.count());
        if found != expected {
            return Err(format!("the strengths of {found} noises are there, expected {expected}"));
        }
        let label_noise = NoiseStrength::after(tensors.take("noise_strength.squares"));
        let restore = |(index, weight): (usize, &f64)| {
            let control = tensors.take_of(&tensor_name(index), 3)?;
            Ok(StrengthControl::from_parts(control, *weight))
        };
        Ok(Self { controls: weights.iter().enumerate().map(restore).collect::<Result<_, String>>()?, label_noise })
    }
}

/// Name of the tensor of the control of the noise with this index.
fn tensor_name(index: usize) -> String {
    match index {
        0 => "strength".into(),
        _ => format!("strength.{index}"),
    }
}
