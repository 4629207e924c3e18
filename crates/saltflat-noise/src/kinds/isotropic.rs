//! Isotropic noise as strong as another.

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
