//! From an image to a vector.

use saltflat_config::Section;
use serde::Serialize;

use crate::{
    Jet, Layer, ModelError, Pass,
    layer_config::{LayerCase, LayerConfig, LayerKeys},
    place::{Built, Place},
};

/// `[batch, channels, height, width]` as `[batch, channels · height · width, 1, 1]`: PyTorch's `nn.Flatten`.
#[derive(Debug)]
pub struct Flatten;

impl Layer for Flatten {
    fn forward(&self, x: Jet, _: &mut Pass<'_>) -> Jet {
        x.linear(|t| {
            let [rows, c, h, w] = t.dims();
            t.reshape([rows, c * h * w, 1, 1])
        })
    }

    fn is_reshape(&self) -> bool {
        true
    }
}

/// The keys of flattening in a list of layers: none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct FlattenConfig {}

impl LayerConfig for FlattenConfig {
    fn name(&self) -> &'static str {
        "flatten"
    }

    fn build(&self, place: &mut Place<'_>) -> Result<Built, ModelError> {
        Ok(Built::new(Flatten, [place.input().iter().product(), 1, 1]))
    }
}

impl LayerKeys for FlattenConfig {
    const NAMES: &'static [&'static str] = &["flatten"];
    const EXAMPLE: &'static str = "";

    fn read(_: &str, _: &mut Section) -> Self {
        Self {}
    }

    fn cases() -> Vec<LayerCase> {
        vec![LayerCase::new("flatten", r#"["flatten"]"#)]
    }
}
