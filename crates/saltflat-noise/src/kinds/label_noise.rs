//! Additive label noise.

use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use saltflat_config::named_enum;
use saltflat_random::Stream;
use serde::Serialize;

use crate::{
    keys::{NoiseKeys, NoiseSection, Strength},
    noise::{ActsOn, Noise, NoiseProperties, SuitableTargets},
    step_context::StepContext,
    targets::Targets,
};

named_enum! {
    /// Distribution of the noise on a real target.
    #[derive(Default)]
    pub enum TargetDistribution {
        /// +σ or −σ with probability ½ each.
        #[default]
        Sign = "sign",
        /// N(0, σ²).
        Gaussian = "gaussian",
    }
}

/// At every step fresh noise of mean 0 and variance σ² is added to each real target of the batch (Damian, Ma, Lee 2021,
/// algorithm 1; HaoChen et al. 2021, section 2).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LabelNoise {
    /// σ ≥ 0.
    pub sigma: f64,
    /// ±σ or Gaussian.
    pub distribution: TargetDistribution,
}

impl NoiseKeys for LabelNoise {
    const NAME: &'static str = "label-noise";
    const EXAMPLE: &'static str = "sigma = 0.3";
    const STRENGTH: Strength = Strength::Replaces("sigma");
    const IS_REFERENCE: bool = true;

    fn read(section: &mut NoiseSection<'_>) -> Self {
        Self {
            sigma: section.sigma(),
            distribution: section.choice("distribution", &TargetDistribution::ALL).unwrap_or_default(),
        }
    }
}

impl Noise for LabelNoise {
    fn properties(&self) -> NoiseProperties {
        NoiseProperties {
            suitable_targets: SuitableTargets::RealNumbers,
            ..NoiseProperties::new(Self::NAME, ActsOn::Targets, 0)
        }
    }

    fn draw_targets(&self, context: StepContext, targets: &mut Targets) {
        let mut rng = context.key(Stream::LabelNoise).rng();
        let sigma = context.scaled_sigma(self.sigma);
        for target in &mut targets.values {
            let noise: f32 = match self.distribution {
                TargetDistribution::Sign if rng.random::<bool>() => 1.0,
                TargetDistribution::Sign => -1.0,
                TargetDistribution::Gaussian => StandardNormal.sample(&mut rng),
            };
            *target += sigma * noise;
        }
    }

    fn target_sigma(&self) -> Option<f64> {
        Some(self.sigma)
    }
}
