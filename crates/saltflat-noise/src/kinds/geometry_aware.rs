//! Geometry-aware noise.

use saltflat_random::Stream;
use serde::Serialize;

use crate::{
    keys::{NoiseKeys, NoiseSection, Strength},
    noise::{ActsOn, Noise, NoiseProperties},
    output_noise::{OutputForm, OutputNoise},
    step_context::StepContext,
};

/// Gaussian gradient noise with the covariance 2 L(θ) G(θ)/b (Wu, Wang, Su 2022, section 3.3): L the step's batch loss
/// less its smallest possible value under label smoothing, G = (1/B) Σᵢ Jᵢᵀ Aᵢ Jᵢ with the Hessian A of the loss in the
/// outputs, so Jᵢᵀ Jᵢ for the square loss.
///
/// νᵢ = √(2 L B/b) Aᵢ^½ zᵢ with z ~ N(0, I); the trainer multiplies by √(2L).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct GeometryAware {
    /// b ≥ 1.
    pub batch_size: usize,
}

impl NoiseKeys for GeometryAware {
    const NAME: &'static str = "geometry-aware";
    const EXAMPLE: &'static str = "batch_size = 5";
    const STRENGTH: Strength = Strength::Replaces("batch_size");
    const IS_REFERENCE: bool = true;

    fn read(section: &mut NoiseSection<'_>) -> Self {
        Self { batch_size: section.batch_size() }
    }
}

impl Noise for GeometryAware {
    fn properties(&self) -> NoiseProperties {
        NoiseProperties::new(Self::NAME, ActsOn::Outputs, 1)
    }

    fn draw_output_noise(&self, context: StepContext, batch: usize, outputs: usize) -> Option<OutputNoise> {
        let scale = (batch as f64 / self.batch_size as f64).sqrt();
        let values = context.draw_normal(Stream::OutputNoise, scale, batch * outputs)?;
        Some(OutputNoise { values, width: outputs, form: OutputForm::CurvatureRoot })
    }

    fn scales_with_loss(&self) -> bool {
        true
    }
}
