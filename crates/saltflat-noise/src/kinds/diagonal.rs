//! Noise with the variances of another and no correlations.

use saltflat_models::Vector;
use saltflat_random::Stream;
use serde::Serialize;

use super::reference::{methods_of_reference, read_reference};
use crate::{
    keys::{NoiseKeys, NoiseSection, Strength},
    noise::{ActsOn, AnyNoise, Noise, NoiseProperties},
    output_noise::OutputNoise,
    step_context::StepContext,
    targets::Targets,
};

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
