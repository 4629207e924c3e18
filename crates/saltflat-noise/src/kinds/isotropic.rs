//! Gradient noise that has its strength from another, its reference: isotropic, or of the same variances without the correlations.

use saltflat_models::Vector;
use saltflat_random::Stream;
use serde::Serialize;

use super::none::NoNoise;
use crate::{
    keys::{NoiseKeys, NoiseSection, Strength},
    noise::{ActsOn, AnyNoise, Noise, NoiseProperties},
    output_noise::OutputNoise,
    step_context::StepContext,
    targets::Targets,
};

/// Reads `like`, the reference of an isotropic or diagonal noise: the table of a noise, without `strength` and `schedule`.
fn read_reference(section: &mut NoiseSection<'_>) -> AnyNoise {
    let (given, kinds) = (section.has("like"), section.kinds);
    let mut like = section.section("like");
    let kind = if given {
        let references: Vec<_> = kinds.iter().filter(|kind| kind.read.is_reference).copied().collect();
        like.kind(&references).copied()
    } else {
        section.problem("like", "is missing; expected a noise, such as { kind = \"sgd-covariance\", batch_size = 32 }");
        None
    };
    let Some(kind) = kind else { return NoNoise {}.into() };
    let noise = kind.read.read(&mut like, false, kinds);
    like.finish(&format!("noise.like of kind {}", kind.name));
    noise
}

/// The methods that an isotropic or diagonal noise takes from its reference, the field `like`.
macro_rules! methods_of_reference {
    () => {
        fn properties(&self) -> NoiseProperties {
            let drawn = self.like.properties();
            let streams = [drawn.streams, vec![Stream::GradientNoise]].concat();
            NoiseProperties { name: Self::NAME, acts_on: ActsOn::Gradient, streams, ..drawn }
        }

        fn reference(&self) -> Option<&AnyNoise> {
            Some(&self.like)
        }

        fn draw_targets(&self, context: StepContext, targets: &mut Targets) {
            self.like.draw_targets(context, targets);
        }

        fn smoothing(&self, outputs: usize, factor: f64) -> f64 {
            self.like.smoothing(outputs, factor)
        }

        fn draw_output_noise(&self, context: StepContext, batch: usize, outputs: usize) -> Option<OutputNoise> {
            self.like.draw_output_noise(context, batch, outputs)
        }

        fn scales_with_loss(&self) -> bool {
            self.like.scales_with_loss()
        }
    };
}

/// Isotropic gradient noise as strong as a reference: ‖ξ‖/√p · N(0, I) with one draw ξ of the reference noise. Its mean
/// square is exactly E‖ξ‖², its covariance (tr Σ/p) I with the reference's Σ, and no per-sample gradient is needed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Isotropic {
    /// The reference: a noise on labels or at the outputs.
    pub like: AnyNoise,
}

impl NoiseKeys for Isotropic {
    const NAME: &'static str = "isotropic";
    const EXAMPLE: &'static str = "like = { kind = \"minibatch\", batch_size = 3 }";
    const STRENGTH: Strength = Strength::Accepted;
    const IS_REFERENCE: bool = false;

    fn read(section: &mut NoiseSection<'_>) -> Self {
        Self { like: read_reference(section) }
    }
}

impl Noise for Isotropic {
    methods_of_reference!();

    fn gradient_noise(&self, context: StepContext, propagated: Option<Vector>, theta: &Vector) -> Option<Vector> {
        let size = propagated?.norm_squared().mul_scalar(1.0 / theta.len() as f64).sqrt();
        Some(theta.normal_like(context.key(Stream::GradientNoise)).map(|t| t * size.clone()))
    }
}

/// Gradient noise with the diagonal of a reference's covariance: ξ with each coordinate multiplied by an independent sign
/// ±1, ξ one draw of the reference noise. Its covariance is exactly diag Σ.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Diagonal {
    /// The reference: a noise on labels or at the outputs.
    pub like: AnyNoise,
}

impl NoiseKeys for Diagonal {
    const NAME: &'static str = "diagonal";
    const EXAMPLE: &'static str = "like = { kind = \"label-flip\", probability = 0.2 }";
    const STRENGTH: Strength = Strength::Accepted;
    const IS_REFERENCE: bool = false;

    fn read(section: &mut NoiseSection<'_>) -> Self {
        Self { like: read_reference(section) }
    }
}

impl Noise for Diagonal {
    methods_of_reference!();

    fn gradient_noise(&self, context: StepContext, propagated: Option<Vector>, theta: &Vector) -> Option<Vector> {
        Some(propagated?.zip(&theta.signs_like(context.key(Stream::GradientNoise)), |a, b| a * b))
    }
}
