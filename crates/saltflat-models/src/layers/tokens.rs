//! Positions of an image as tokens.

use super::case::{LayerCase, LayerCases};
use crate::{Jet, Layer, Pass};

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
}

impl LayerCases for Tokens {
    fn cases() -> Vec<LayerCase> {
        vec![LayerCase::new("tokens", |_| Self)]
    }
}
