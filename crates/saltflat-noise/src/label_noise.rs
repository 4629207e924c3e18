//! Additive label noise.

use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use saltflat_random::Stream;
use serde::Serialize;

use crate::{ActsOn, Moment, Noise, Targets};

/// Distribution of the noise on a real target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TargetDistribution {
    /// +σ or −σ with probability ½ each.
    #[default]
    Sign,
    /// N(0, σ²).
    Gaussian,
}

impl TargetDistribution {
    /// All of them, with their names in configurations.
    pub const ALL: [(&str, Self); 2] = [("sign", Self::Sign), ("gaussian", Self::Gaussian)];
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

impl LabelNoise {
    /// σ of this step, as it is drawn with.
    fn sigma(&self, at: Moment) -> f32 {
        (self.sigma * at.factor) as f32
    }
}

impl Noise for LabelNoise {
    fn acts_on(&self) -> ActsOn {
        ActsOn::Targets
    }

    fn streams(&self) -> Vec<Stream> {
        vec![Stream::LabelNoise]
    }

    fn draw_targets(&self, at: Moment, targets: &mut Targets) {
        let mut rng = at.key(Stream::LabelNoise).rng();
        let sigma = self.sigma(at);
        for target in &mut targets.values {
            let noise: f32 = match self.distribution {
                TargetDistribution::Sign if rng.random::<bool>() => 1.0,
                TargetDistribution::Sign => -1.0,
                TargetDistribution::Gaussian => StandardNormal.sample(&mut rng),
            };
            *target += sigma * noise;
        }
    }

    fn randomises_targets(&self) -> bool {
        true
    }

    fn target_variance(&self, at: Moment) -> Option<f64> {
        Some(f64::from(self.sigma(at)).powi(2))
    }
}
