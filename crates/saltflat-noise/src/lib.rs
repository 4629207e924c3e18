//! What makes SGD noisy beyond the choice of the minibatch.
//!
//! A [`Noise`] changes the targets of a batch before the loss, or the parameters after the update. Each draw is a pure
//! function of the run's seed and the step. Strength 0 is plain SGD, bit for bit.

mod label_flip;
mod label_noise;
mod label_smoothing;
mod parameter_gaussian;
mod plain;

use saltflat_models::Vector;
use serde::Serialize;

pub use label_flip::{FlipTo, LabelFlip};
pub use label_noise::{LabelNoise, TargetDistribution};
pub use label_smoothing::LabelSmoothing;
pub use parameter_gaussian::ParameterGaussian;
pub use plain::Plain;

/// The targets of one batch on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct Targets {
    /// `[batch, outputs]`, row-major; the expected targets q before the noise, the drawn ones q̂ after it.
    pub values: Vec<f32>,
    /// Number of outputs C.
    pub outputs: usize,
    /// The clean classes, `[batch]`; absent for real targets.
    pub labels: Option<Vec<u32>>,
}

/// A source of noise. Every method does nothing unless the noise says otherwise.
pub trait Noise: Send + Sync {
    /// Draws the targets of the batch of this step.
    fn draw_targets(&self, _seed: u64, _step: u64, _targets: &mut Targets) {}

    /// True where [`draw_targets`](Self::draw_targets) is random, so that the gradient noise it makes can be measured.
    fn randomises_targets(&self) -> bool {
        false
    }

    /// Label smoothing s under which the smoothed loss is the expectation of the noisy one, for C = `outputs` classes.
    fn smoothing(&self, _outputs: usize) -> f64 {
        0.0
    }

    /// The parameters after the update of this step, with the noise's strength multiplied by `factor` (its schedule);
    /// absent where they stay as they are.
    fn perturb(&self, _seed: u64, _step: u64, _factor: f64, _theta: &Vector) -> Option<Vector> {
        None
    }
}

/// What a configuration says about the noise.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[allow(missing_docs)] // The variants are documented where their structs are.
pub enum NoiseConfig {
    #[serde(rename = "none")]
    Plain(Plain),
    LabelFlip(LabelFlip),
    LabelSmoothing(LabelSmoothing),
    LabelNoise(LabelNoise),
    ParameterGaussian(ParameterGaussian),
}

impl NoiseConfig {
    /// Names in configurations.
    pub const NAMES: [&str; 5] = ["none", "label-flip", "label-smoothing", "label-noise", "parameter-gaussian"];

    /// The noise.
    pub fn noise(&self) -> &dyn Noise {
        match self {
            Self::Plain(noise) => noise,
            Self::LabelFlip(noise) => noise,
            Self::LabelSmoothing(noise) => noise,
            Self::LabelNoise(noise) => noise,
            Self::ParameterGaussian(noise) => noise,
        }
    }
}
