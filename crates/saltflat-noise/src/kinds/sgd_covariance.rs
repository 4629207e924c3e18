//! Gaussian noise with the covariance of minibatch SGD.

use saltflat_random::Stream;
use serde::Serialize;

use crate::{
    keys::{NoiseKeys, NoiseSection, Strength},
    noise::{ActsOn, Noise, NoiseProperties},
    output_noise::{OutputForm, OutputNoise},
    step_context::StepContext,
};

/// Gaussian gradient noise with exactly the covariance that a minibatch of b samples, drawn with replacement from the
/// step's B samples, has at this point: Σ/b with Σ = (1/B) Σᵢ (gᵢ − ḡ)(gᵢ − ḡ)ᵀ.
///
/// νᵢ = √(B/b) (zᵢ − z̄) rᵢ with z ~ N(0, I_B) and the output gradient rᵢ: the noise is √(1/(B b)) Σᵢ zᵢ (gᵢ − ḡ). With a
/// full batch Σ is that of the whole training set.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SgdCovariance {
    /// b ≥ 1.
    pub batch_size: usize,
}

impl NoiseKeys for SgdCovariance {
    const NAME: &'static str = "sgd-covariance";
    const EXAMPLE: &'static str = "batch_size = 5";
    const STRENGTH: Strength = Strength::Replaces("batch_size");
    const IS_REFERENCE: bool = true;

    fn read(section: &mut NoiseSection<'_>) -> Self {
        Self { batch_size: section.batch_size() }
    }
}

impl Noise for SgdCovariance {
    fn properties(&self) -> NoiseProperties {
        NoiseProperties::new(Self::NAME, ActsOn::Outputs, 2)
    }

    fn draw_output_noise(&self, context: StepContext, batch: usize, _outputs: usize) -> Option<OutputNoise> {
        let scale = (batch as f64 / self.batch_size as f64).sqrt();
        let mut values = context.draw_normal(Stream::OutputNoise, scale, batch)?;
        let mean = (values.iter().map(|&z| f64::from(z)).sum::<f64>() / batch as f64) as f32;
        values.iter_mut().for_each(|z| *z -= mean);
        Some(OutputNoise { values, width: 1, form: OutputForm::Residual })
    }
}
