//! The trait of all kinds of noise, and a noise of any kind.

use std::fmt;

use saltflat_config::handle;
use saltflat_models::Vector;
use saltflat_random::Stream;

use crate::{output_noise::OutputNoise, step_context::StepContext, targets::Targets};

/// What a noise changes in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActsOn {
    /// Nothing.
    Nothing,
    /// The targets of the loss: they are drawn, or smoothed.
    Targets,
    /// The gradient of the loss in the outputs, ∂ℓ/∂f, to which it is added.
    Outputs,
    /// The gradient in the parameters, to which [`gradient_noise`](Noise::gradient_noise) is added.
    Gradient,
    /// The parameters, after the update.
    Parameters,
}

/// The targets that a noise can be used with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuitableTargets {
    /// Classes and real numbers.
    Any,
    /// Classes only.
    Classes,
    /// Real numbers only, and with them no cross-entropy.
    RealNumbers,
}

/// Properties of a noise that are known before anything is drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct NoiseProperties {
    /// Its name in configurations, such as `label-flip`.
    pub name: &'static str,
    /// What it changes.
    pub acts_on: ActsOn,
    /// The random streams that its draws come from; none if nothing is drawn.
    pub streams: Vec<Stream>,
    /// The targets that it can be used with.
    pub suitable_targets: SuitableTargets,
    /// The smallest batch that it can be used with: 2 if it compares samples, 1 if it needs their loss, 0 if it depends on
    /// neither.
    pub least_batch: usize,
}

impl NoiseProperties {
    /// Of a noise for any targets, with draws from the stream that belongs to what it changes.
    pub fn new(name: &'static str, acts_on: ActsOn, least_batch: usize) -> Self {
        let streams = match acts_on {
            ActsOn::Nothing => vec![],
            ActsOn::Targets => vec![Stream::LabelNoise],
            ActsOn::Outputs => vec![Stream::OutputNoise],
            ActsOn::Gradient => vec![Stream::GradientNoise],
            ActsOn::Parameters => vec![Stream::ParameterNoise],
        };
        Self { name, acts_on, streams, suitable_targets: SuitableTargets::Any, least_batch }
    }
}

/// A source of noise. It changes the targets of a batch before the loss, the loss's gradient in the outputs, the gradient in the
/// parameters, or the parameters after the update, and every draw is a pure function of the [`StepContext`].
///
/// A kind says what it [acts on](NoiseProperties::acts_on) and implements the method that belongs to that:
///
/// | [`ActsOn`] | method |
/// | --- | --- |
/// | `Targets` | [`draw_targets`](Self::draw_targets), [`smoothing`](Self::smoothing), [`target_sigma`](Self::target_sigma) |
/// | `Outputs` | [`draw_output_noise`](Self::draw_output_noise) |
/// | `Gradient` | [`gradient_noise`](Self::gradient_noise) |
/// | `Parameters` | [`parameter_sigma`](Self::parameter_sigma) |
///
/// With `Serialize` beside it a kind becomes an [`AnyNoise`], which is what a run takes. A complete kind outside this crate is
/// `examples/own_noise.rs`; one that configurations can name also implements [`NoiseKeys`](crate::NoiseKeys).
///
/// ```
/// use saltflat_noise::{ActsOn, AnyNoise, Noise, NoiseProperties, OutputForm, OutputNoise, StepContext};
/// use saltflat_random::Stream;
/// use serde::Serialize;
///
/// /// The same number ±σ for all samples and outputs of a step.
/// #[derive(Debug, Serialize)]
/// struct CommonSign {
///     sigma: f64,
/// }
///
/// impl Noise for CommonSign {
///     fn properties(&self) -> NoiseProperties {
///         NoiseProperties::new("common-sign", ActsOn::Outputs, 0)
///     }
///     fn draw_output_noise(&self, context: StepContext, batch: usize, outputs: usize) -> Option<OutputNoise> {
///         let sign = context.key(Stream::OutputNoise).normal(1)[0].signum();
///         let values = vec![sign * context.scaled_sigma(self.sigma); batch * outputs];
///         Some(OutputNoise { values, width: outputs, form: OutputForm::Direct })
///     }
/// }
///
/// let noise = AnyNoise::from(CommonSign { sigma: 0.5 });
/// let context = StepContext { seed: 1, step: 0, factor: 1.0, substream: 0 };
/// let drawn = noise.draw_output_noise(context, 3, 2).unwrap();
/// assert_eq!(drawn.values.len(), 6);
/// assert!(drawn.values.iter().all(|nu| nu.abs() == 0.5));
/// assert_eq!(noise.draw_output_noise(context, 3, 2), Some(drawn));
/// ```
pub trait Noise: fmt::Debug + Send + Sync + 'static {
    /// Its name, what it changes, its random streams, and the targets and batches that it can be used with.
    fn properties(&self) -> NoiseProperties;

    /// The noise that this one is made of: its reference, if it has one.
    fn reference(&self) -> Option<&AnyNoise> {
        None
    }

    /// Draws the targets of the batch of this step.
    fn draw_targets(&self, _context: StepContext, _targets: &mut Targets) {}

    /// True if the step trains on [drawn targets](Self::draw_targets).
    fn randomises_targets(&self) -> bool {
        let NoiseProperties { acts_on, streams, .. } = self.properties();
        acts_on == ActsOn::Targets && !streams.is_empty()
    }

    /// Standard deviation σ of the noise that a drawn target has on each of its real numbers, before its schedule; absent if targets
    /// are drawn as classes, or are not drawn.
    fn target_sigma(&self) -> Option<f64> {
        None
    }

    /// Label smoothing s under which the smoothed loss is the expectation of the noisy one, for C = `outputs` classes and this
    /// factor of the noise's schedule.
    fn smoothing(&self, _outputs: usize, _factor: f64) -> f64 {
        0.0
    }

    /// What is added to the output gradient of the `batch` samples of this step; absent if it is nothing.
    fn draw_output_noise(&self, _context: StepContext, _batch: usize, _outputs: usize) -> Option<OutputNoise> {
        None
    }

    /// True if the gradient noise is to be multiplied by √(2L), L the batch's loss less its smallest possible value
    /// under label smoothing.
    fn scales_with_loss(&self) -> bool {
        false
    }

    /// The noise ξ in the gradient. `propagated` is the draw of this step at the targets or outputs after the backward pass,
    /// (1/B) Σᵢ Jᵢᵀ νᵢ, if there is one, and ξ unless the noise makes something else of it.
    fn gradient_noise(&self, _context: StepContext, propagated: Option<Vector>, _theta: &Vector) -> Option<Vector> {
        propagated
    }

    /// Standard deviation, for each coordinate, of the Gaussian noise that is added to the parameters after an update with this
    /// learning rate, before its schedule; absent if there is none.
    fn parameter_sigma(&self, _lr: f64) -> Option<f64> {
        None
    }
}

handle! {
    /// A noise of any kind. Two are equal if their kinds and all their keys are; written, it is the table of its keys with `kind`.
    pub struct AnyNoise(dyn Noise);
}

impl AnyNoise {
    /// Its name in configurations.
    pub fn name(&self) -> &'static str {
        self.properties().name
    }

    /// The noise that is drawn: the [reference](Noise::reference) of an isotropic or diagonal noise, otherwise itself.
    pub fn reference_or_self(&self) -> &Self {
        self.reference().unwrap_or(self)
    }
}
