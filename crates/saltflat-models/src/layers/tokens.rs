//! Positions of an image as tokens.

use saltflat_config::Section;
use serde::Serialize;

use crate::{
    Jet, Layer, ModelError, Pass,
    layer_config::{LayerCase, LayerConfig, LayerKeys},
    place::{Built, Place},
};

/// `[batch, channels, h, w]` as `[batch, channels, h·w, 1]`: `x.flatten(2)` in PyTorch, whose tokens are then `.transpose(1, 2)`. The channels
/// are the features of a token.
#[derive(Debug)]
pub struct Tokens;

impl Layer for Tokens {
    fn forward(&self, x: Jet, _: &mut Pass<'_>) -> Jet {
        x.linear(|t| {
            let [rows, c, h, w] = t.dims();
            t.reshape([rows, c, h * w, 1])
        })
    }

    fn is_reshape(&self) -> bool {
        true
    }
}

/// The keys of tokens in a list of layers: none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct TokensConfig {}

impl LayerConfig for TokensConfig {
    fn name(&self) -> &'static str {
        "tokens"
    }

    fn build(&self, place: &mut Place<'_>) -> Result<Built, ModelError> {
        let [channels, h, w] = place.input();
        Ok(Built::new(Tokens, [channels, h * w, 1]))
    }
}

impl LayerKeys for TokensConfig {
    const NAMES: &'static [&'static str] = &["tokens"];
    const EXAMPLE: &'static str = "";

    fn read(_: &str, _: &mut Section) -> Self {
        Self {}
    }

    fn cases() -> Vec<LayerCase> {
        vec![LayerCase::new("tokens", r#"["tokens"]"#)]
    }
}
