//! RMS normalisation.

use saltflat_config::Section;
use serde::Serialize;

use super::{
    keys::eps,
    layer_norm::{LayerNorm, NormOver},
};
use crate::{
    ModelError,
    layer_config::{LayerCase, LayerConfig, LayerKeys},
    place::{Built, Place},
};

/// The machine epsilon of f32, PyTorch's default in that precision.
const EPSILON: f64 = f32::EPSILON as f64;

/// The keys of RMS normalisation in a list of layers: [`LayerNorm`] without mean and offsets.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RmsNormConfig {
    /// What the mean of the squares is taken over.
    pub over: NormOver,
    /// ε, which is added to the mean of the squares.
    pub eps: f64,
    /// True if factors follow.
    pub affine: bool,
}

impl LayerConfig for RmsNormConfig {
    fn name(&self) -> &'static str {
        "rms-norm"
    }

    fn build(&self, place: &mut Place<'_>) -> Result<Built, ModelError> {
        Ok(Built::new(LayerNorm::rms(place, self.over, self.eps, self.affine), place.input()))
    }
}

impl LayerKeys for RmsNormConfig {
    const NAMES: &'static [&'static str] = &["rms-norm"];
    const EXAMPLE: &'static str = "";

    fn read(_: &str, section: &mut Section) -> Self {
        Self {
            over: NormOver::read(section),
            eps: eps(section, EPSILON),
            affine: section.get("affine").unwrap_or(true),
        }
    }

    fn cases() -> Vec<LayerCase> {
        let case = |name, keys| LayerCase::new(name, format!("[{{ kind = \"rms-norm\", {keys} }}]"));
        vec![
            case("RMS norm", "eps = 1e-3"),
            case("RMS norm over all", "over = \"all\""),
            case("RMS norm, not affine", "affine = false"),
        ]
    }
}
