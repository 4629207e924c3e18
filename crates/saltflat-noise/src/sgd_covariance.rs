//! Gaussian noise with the covariance of minibatch SGD.

use saltflat_random::Stream;
use serde::Serialize;

use crate::{ActsOn, Moment, Noise, OutputForm, OutputNoise};

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

impl Noise for SgdCovariance {
    fn acts_on(&self) -> ActsOn {
        ActsOn::Outputs
    }

    fn streams(&self) -> Vec<Stream> {
        vec![Stream::OutputNoise]
    }

    fn output_noise(&self, at: Moment, batch: usize, _outputs: usize) -> Option<OutputNoise> {
        let scale = (batch as f64 / self.batch_size as f64).sqrt();
        let mut values = at.scaled_normal(Stream::OutputNoise, scale, batch)?;
        let mean = (values.iter().map(|&z| f64::from(z)).sum::<f64>() / batch as f64) as f32;
        values.iter_mut().for_each(|z| *z -= mean);
        Some(OutputNoise { values, width: 1, form: OutputForm::Residual })
    }
}
