//! One token of all.

use saltflat_config::Section;
use serde::Serialize;

use crate::{
    Jet, Layer, ModelError, Pass,
    layer_config::{LayerCase, LayerConfig, LayerKeys},
    place::{Built, Place},
};

/// The token of this index, `[batch, channels, tokens, 1]` to `[batch, channels, 1, 1]`: the class token at the end of a vision transformer.
#[derive(Debug)]
pub struct SelectToken {
    index: usize,
}

impl SelectToken {
    /// The token of this index, which is less than their number.
    pub fn new(index: usize) -> Self {
        Self { index }
    }
}

impl Layer for SelectToken {
    fn forward(&self, x: Jet, _: &mut Pass<'_>) -> Jet {
        x.linear(|t| {
            let [rows, c, h, w] = t.dims();
            t.reshape([rows, c, h * w, 1]).slice([0..rows, 0..c, self.index..self.index + 1])
        })
    }
}

/// The keys of one token in a list of layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SelectTokenConfig {
    /// Which token, from 0 on.
    pub index: usize,
}

impl LayerConfig for SelectTokenConfig {
    fn name(&self) -> &'static str {
        "select-token"
    }

    fn build(&self, place: &mut Place<'_>) -> Result<Built, ModelError> {
        let [channels, h, w] = place.input();
        if self.index >= h * w {
            return Err(place.error(format!("more than {} tokens (the index counts from 0)", self.index)));
        }
        Ok(Built::new(SelectToken::new(self.index), [channels, 1, 1]))
    }
}

impl LayerKeys for SelectTokenConfig {
    const NAMES: &'static [&'static str] = &["select-token"];
    const EXAMPLE: &'static str = "";

    fn read(_: &str, section: &mut Section) -> Self {
        Self { index: section.get("index").unwrap_or(0) }
    }

    fn cases() -> Vec<LayerCase> {
        vec![LayerCase::new("select token", r#"[{ kind = "select-token", index = 40 }]"#)]
    }
}
