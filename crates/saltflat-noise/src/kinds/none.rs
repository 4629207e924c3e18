//! No noise but the minibatch.

use serde::Serialize;

use crate::{
    keys::{NoiseKeys, NoiseSection, Strength},
    noise::{ActsOn, Noise, NoiseProperties},
};

/// Plain minibatch SGD: the only noise is which samples are in the batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct NoNoise {}

impl NoiseKeys for NoNoise {
    const NAME: &'static str = "none";
    const EXAMPLE: &'static str = "";
    const STRENGTH: Strength = Strength::Refused;
    const IS_REFERENCE: bool = false;

    fn read(_section: &mut NoiseSection<'_>) -> Self {
        Self {}
    }
}

impl Noise for NoNoise {
    fn properties(&self) -> NoiseProperties {
        NoiseProperties::new(Self::NAME, ActsOn::Nothing, 0)
    }
}
