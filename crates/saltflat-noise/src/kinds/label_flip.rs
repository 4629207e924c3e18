//! Label flipping.

use rand::RngExt;
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
    /// Which class a flipped label becomes.
    #[derive(Default)]
    pub enum FlipTo {
        /// One of the C − 1 wrong classes.
        #[default]
        Wrong = "wrong",
        /// Any of the C classes, the right one among them.
        Uniform = "uniform",
    }
}

impl FlipTo {
    /// Part of the labels that end up on each wrong class, times C − 1: p or p (C−1)/C.
    pub(super) fn smoothing(self, probability: f64, outputs: usize) -> f64 {
        match self {
            Self::Wrong => probability,
            Self::Uniform => probability * (outputs as f64 - 1.0) / outputs as f64,
        }
    }
}

/// At every step each label of the batch is, with this probability, replaced by a random class (Damian, Ma, Lee 2021,
/// section 5.1 and appendix E). The drawn target is the unit vector of the drawn class: its mean is the smoothed target q,
/// its covariance diag q − qqᵀ. A schedule multiplies p, as HaoChen et al. 2021, appendix A.2, halve it with the learning
/// rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LabelFlip {
    /// p, in [0, 1].
    pub probability: f64,
    /// Which class a flipped label becomes.
    pub to: FlipTo,
}

impl NoiseKeys for LabelFlip {
    const NAME: &'static str = "label-flip";
    const EXAMPLE: &'static str = "probability = 0.2";
    const STRENGTH: Strength = Strength::Accepted;
    const IS_REFERENCE: bool = true;

    fn read(section: &mut NoiseSection<'_>) -> Self {
        Self { probability: section.probability(), to: section.choice("to", &FlipTo::ALL).unwrap_or_default() }
    }
}

impl Noise for LabelFlip {
    fn properties(&self) -> NoiseProperties {
        NoiseProperties {
            suitable_targets: SuitableTargets::Classes,
            ..NoiseProperties::new(Self::NAME, ActsOn::Targets, 0)
        }
    }

    fn draw_targets(&self, context: StepContext, targets: &mut Targets) {
        let Some(labels) = &targets.labels else { return };
        let classes = targets.outputs as u32;
        let mut rng = context.key(Stream::LabelNoise).rng();
        let probability = (self.probability * context.factor).min(1.0);
        for (target, &label) in targets.values.chunks_mut(targets.outputs).zip(labels) {
            let drawn = match self.to {
                _ if !rng.random_bool(probability) => label,
                FlipTo::Uniform => rng.random_range(0..classes),
                FlipTo::Wrong if classes > 1 => (label + rng.random_range(1..classes)) % classes,
                FlipTo::Wrong => label,
            };
            target.fill(0.0);
            target[drawn as usize] = 1.0;
        }
    }

    fn smoothing(&self, outputs: usize, factor: f64) -> f64 {
        self.to.smoothing((self.probability * factor).min(1.0), outputs)
    }
}
