//! What makes SGD noisy beyond the choice of the minibatch.
//!
//! A [`Noise`] changes the targets of a batch before the loss, the loss's gradient in the outputs, the gradient in the
//! parameters, or the parameters after the update. Each draw is a pure function of the run's seed and the step. Strength 0
//! is plain SGD, bit for bit. Several noises can act in one step; [`NoiseConfig::conflict`] says which.

mod combination;
mod geometry_aware;
mod isotropic;
mod label_flip;
mod label_noise;
mod label_smoothing;
mod langevin;
mod logit_gaussian;
mod minibatch;
mod output_noise;
mod parameter_gaussian;
mod plain;
mod sgd_covariance;
mod strength;

use saltflat_models::Vector;
use saltflat_random::{Key, Stream};
use serde::Serialize;

pub use combination::{ActsOn, substreams};
pub use geometry_aware::GeometryAware;
pub use isotropic::{Diagonal, Isotropic, IsotropicLossScaled};
pub use label_flip::{FlipTo, LabelFlip};
pub use label_noise::{LabelNoise, TargetDistribution};
pub use label_smoothing::LabelSmoothing;
pub use langevin::Langevin;
pub use logit_gaussian::{LogitGaussian, SigmaConvention};
pub use minibatch::Minibatch;
pub use output_noise::{OutputForm, OutputNoise};
pub use parameter_gaussian::ParameterGaussian;
pub use plain::Plain;
pub use sgd_covariance::SgdCovariance;
pub use strength::StrengthControl;

/// When a draw is made: in which run, at which step, and how strong the noise is there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// The run's seed.
    pub seed: u64,
    /// Steps made before.
    pub step: u64,
    /// The noise's schedule: a factor on its probability or its σ.
    pub factor: f64,
    /// Which sequence of its random streams the noise draws from; 0 for a noise by itself, otherwise see [`substreams`].
    pub substream: u32,
}

impl Moment {
    /// The key of this step's draw.
    pub fn key(self, stream: Stream) -> Key {
        Key::new(self.seed, stream, self.step).substream(self.substream)
    }

    /// σ · factor · z with `n` independent standard normal numbers z; absent where that is 0.
    fn scaled_normal(self, stream: Stream, sigma: f64, n: usize) -> Option<Vec<f32>> {
        let sigma = (sigma * self.factor) as f32;
        (sigma != 0.0).then(|| self.key(stream).normal(n).into_iter().map(|z| sigma * z).collect())
    }
}

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
    /// What it changes.
    fn acts_on(&self) -> ActsOn;

    /// The random streams that its draws come from.
    fn streams(&self) -> Vec<Stream>;

    /// Draws the targets of the batch of this step.
    fn draw_targets(&self, _at: Moment, _targets: &mut Targets) {}

    /// True where the step trains on [drawn targets](Self::draw_targets).
    fn randomises_targets(&self) -> bool {
        false
    }

    /// Variance σ² of the noise that a drawn target has on each of its real numbers; absent where targets are drawn as classes,
    /// or are not drawn.
    fn target_variance(&self, _at: Moment) -> Option<f64> {
        None
    }

    /// Label smoothing s under which the smoothed loss is the expectation of the noisy one, for C = `outputs` classes, where
    /// the noise's schedule stands at `factor`.
    fn smoothing(&self, _outputs: usize, _factor: f64) -> f64 {
        0.0
    }

    /// What is added to the output gradient of the `batch` samples of this step; absent where nothing is.
    fn output_noise(&self, _at: Moment, _batch: usize, _outputs: usize) -> Option<OutputNoise> {
        None
    }

    /// True where the gradient noise is to be multiplied by √(2L), L the batch's loss counted from its floor.
    fn scales_with_loss(&self) -> bool {
        false
    }

    /// The gradient noise, from a draw of the noise at the targets or outputs, (1/B) Σᵢ Jᵢᵀ νᵢ, where there is one.
    fn shape(&self, _at: Moment, reference: Option<Vector>, _theta: &Vector) -> Option<Vector> {
        reference
    }

    /// Standard deviation, a coordinate, of the Gaussian noise that is added to the parameters after an update with this
    /// learning rate, before its schedule; absent where there is none.
    fn parameter_sigma(&self, _lr: f64) -> Option<f64> {
        None
    }
}

/// σ ξ with ξ ~ N(0, I), the Gaussian noise on the parameters of this step; absent where σ is 0.
pub fn displacement(at: Moment, sigma: f64, theta: &Vector) -> Option<Vector> {
    (sigma != 0.0).then(|| theta.normal_like(at.key(Stream::ParameterNoise)).scale(sigma))
}

/// What a configuration says about the noise.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[allow(missing_docs)] // The variants are documented where their structs are.
pub enum NoiseConfig {
    #[serde(rename = "none")]
    Plain(Plain),
    LabelFlip(LabelFlip),
    LabelSmoothing(LabelSmoothing),
    LabelNoise(LabelNoise),
    LogitGaussian(LogitGaussian),
    SgdCovariance(SgdCovariance),
    Minibatch(Minibatch),
    GeometryAware(GeometryAware),
    Isotropic(Isotropic),
    Diagonal(Diagonal),
    IsotropicLossScaled(IsotropicLossScaled),
    ParameterGaussian(ParameterGaussian),
    Langevin(Langevin),
}

impl NoiseConfig {
    /// Names in configurations.
    pub const NAMES: [&str; 13] = [
        "none",
        "label-flip",
        "label-smoothing",
        "label-noise",
        "logit-gaussian",
        "sgd-covariance",
        "minibatch",
        "geometry-aware",
        "isotropic",
        "diagonal",
        "isotropic-loss-scaled",
        "parameter-gaussian",
        "langevin",
    ];
    /// Those that `like` of an isotropic or diagonal noise can name.
    pub const REFERENCES: [&str; 6] =
        ["label-flip", "label-noise", "logit-gaussian", "sgd-covariance", "minibatch", "geometry-aware"];

    /// Its name in configurations.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Plain(_) => "none",
            Self::LabelFlip(_) => "label-flip",
            Self::LabelSmoothing(_) => "label-smoothing",
            Self::LabelNoise(_) => "label-noise",
            Self::LogitGaussian(_) => "logit-gaussian",
            Self::SgdCovariance(_) => "sgd-covariance",
            Self::Minibatch(_) => "minibatch",
            Self::GeometryAware(_) => "geometry-aware",
            Self::Isotropic(_) => "isotropic",
            Self::Diagonal(_) => "diagonal",
            Self::IsotropicLossScaled(_) => "isotropic-loss-scaled",
            Self::ParameterGaussian(_) => "parameter-gaussian",
            Self::Langevin(_) => "langevin",
        }
    }

    /// The noise.
    pub fn noise(&self) -> &dyn Noise {
        match self {
            Self::Plain(noise) => noise,
            Self::LabelFlip(noise) => noise,
            Self::LabelSmoothing(noise) => noise,
            Self::LabelNoise(noise) => noise,
            Self::LogitGaussian(noise) => noise,
            Self::SgdCovariance(noise) => noise,
            Self::Minibatch(noise) => noise,
            Self::GeometryAware(noise) => noise,
            Self::Isotropic(noise) => noise,
            Self::Diagonal(noise) => noise,
            Self::IsotropicLossScaled(noise) => noise,
            Self::ParameterGaussian(noise) => noise,
            Self::Langevin(noise) => noise,
        }
    }

    /// The noise that is drawn: the reference of an isotropic or diagonal noise, otherwise itself.
    pub fn reference(&self) -> &Self {
        match self {
            Self::Isotropic(Isotropic { like }) | Self::Diagonal(Diagonal { like }) => like,
            other => other,
        }
    }
}
