//! Label smoothing.

use saltflat_random::Stream;
use serde::Serialize;

use crate::{ActsOn, FlipTo, Noise};

/// The smoothed target itself, without randomness: the same expected loss as [`LabelFlip`](crate::LabelFlip) with this
/// probability. What a full-batch initialisation for label flipping trains on (Damian, Ma, Lee 2021, appendix D).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LabelSmoothing {
    /// p, in [0, 1].
    pub probability: f64,
    /// Which classes share it.
    pub to: FlipTo,
}

impl Noise for LabelSmoothing {
    fn acts_on(&self) -> ActsOn {
        ActsOn::Targets
    }

    fn streams(&self) -> Vec<Stream> {
        Vec::new()
    }

    fn smoothing(&self, outputs: usize, factor: f64) -> f64 {
        self.to.smoothing((self.probability * factor).min(1.0), outputs)
    }
}
