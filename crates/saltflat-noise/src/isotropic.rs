//! Gradient noise of another's strength without its shape.

use saltflat_models::Vector;
use saltflat_random::Stream;
use serde::Serialize;

use crate::{ActsOn, Moment, Noise, NoiseConfig, OutputNoise, Targets};

/// Isotropic gradient noise as strong as a reference: ‖ξ‖/√p · N(0, I) with one draw ξ of the reference noise. Its mean
/// square is exactly E‖ξ‖², its covariance (tr Σ/p) I with the reference's Σ, and no per-sample gradient is needed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Isotropic {
    /// The reference: a noise on labels or at the outputs.
    pub like: Box<NoiseConfig>,
}

/// Gradient noise with the diagonal of a reference's covariance: ξ with each coordinate multiplied by an independent sign
/// ±1, ξ one draw of the reference noise. Its covariance is exactly diag Σ.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Diagonal {
    /// The reference: a noise on labels or at the outputs.
    pub like: Box<NoiseConfig>,
}

/// Gradient noise N(0, 2 σ² L(θ) I) (Wu, Wang, Su 2022, section 3.3, there with σ² = Tr(H)/p and divided by the batch
/// size): L the step's batch loss, counted from its floor. The trainer multiplies by √(2L).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct IsotropicLossScaled {
    /// σ ≥ 0.
    pub sigma: f64,
}

/// The methods that a shaped noise takes from its reference.
macro_rules! from_reference {
    () => {
        fn draw_targets(&self, at: Moment, targets: &mut Targets) {
            self.like.noise().draw_targets(at, targets);
        }

        fn smoothing(&self, outputs: usize, factor: f64) -> f64 {
            self.like.noise().smoothing(outputs, factor)
        }

        fn output_noise(&self, at: Moment, batch: usize, outputs: usize) -> Option<OutputNoise> {
            self.like.noise().output_noise(at, batch, outputs)
        }

        fn scales_with_loss(&self) -> bool {
            self.like.noise().scales_with_loss()
        }

        fn acts_on(&self) -> ActsOn {
            ActsOn::Gradient
        }

        fn streams(&self) -> Vec<Stream> {
            [self.like.noise().streams(), vec![Stream::GradientNoise]].concat()
        }
    };
}

impl Noise for Isotropic {
    from_reference!();

    fn shape(&self, at: Moment, reference: Option<Vector>, theta: &Vector) -> Option<Vector> {
        let reference = reference?;
        let size = reference.norm_squared().mul_scalar(1.0 / theta.len() as f64).sqrt();
        Some(theta.normal_like(at.key(Stream::GradientNoise)).map(|t| t * size.clone()))
    }
}

impl Noise for Diagonal {
    from_reference!();

    fn shape(&self, at: Moment, reference: Option<Vector>, theta: &Vector) -> Option<Vector> {
        Some(reference?.zip(&theta.signs_like(at.key(Stream::GradientNoise)), |a, b| a * b))
    }
}

impl Noise for IsotropicLossScaled {
    fn acts_on(&self) -> ActsOn {
        ActsOn::Gradient
    }

    fn streams(&self) -> Vec<Stream> {
        vec![Stream::GradientNoise]
    }

    fn scales_with_loss(&self) -> bool {
        true
    }

    fn shape(&self, at: Moment, _reference: Option<Vector>, theta: &Vector) -> Option<Vector> {
        let sigma = self.sigma * at.factor;
        (sigma != 0.0).then(|| theta.normal_like(at.key(Stream::GradientNoise)).scale(sigma))
    }
}
