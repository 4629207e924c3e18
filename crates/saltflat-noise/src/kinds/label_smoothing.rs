//! Smoothed labels, the mean of flipped ones.

use serde::Serialize;

use super::label_flip::FlipTo;
use crate::{
    keys::{NoiseKeys, NoiseSection, Strength},
    noise::{ActsOn, Noise, NoiseProperties, SuitableTargets},
};

/// The smoothed target itself, without randomness: the same expected loss as [`LabelFlip`](super::label_flip::LabelFlip) with this
/// probability. What a full-batch initialisation for label flipping trains on (Damian, Ma, Lee 2021, appendix D).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LabelSmoothing {
    /// p, in [0, 1].
    pub probability: f64,
    /// Which classes share it.
    pub to: FlipTo,
}

impl NoiseKeys for LabelSmoothing {
    const NAME: &'static str = "label-smoothing";
    const EXAMPLE: &'static str = "probability = 0.2";
    const STRENGTH: Strength = Strength::Refused;
    const IS_REFERENCE: bool = false;

    fn read(section: &mut NoiseSection<'_>) -> Self {
        Self { probability: section.probability(), to: section.choice("to", &FlipTo::ALL).unwrap_or_default() }
    }
}

impl Noise for LabelSmoothing {
    fn properties(&self) -> NoiseProperties {
        NoiseProperties {
            streams: Vec::new(),
            suitable_targets: SuitableTargets::Classes,
            ..NoiseProperties::new(Self::NAME, ActsOn::Targets, 0)
        }
    }

    fn smoothing(&self, outputs: usize, factor: f64) -> f64 {
        self.to.smoothing((self.probability * factor).min(1.0), outputs)
    }
}
