//! One token of all.

use super::case::{LayerCase, LayerCases};
use crate::{Jet, Layer, Pass};

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

impl LayerCases for SelectToken {
    fn cases() -> Vec<LayerCase> {
        vec![LayerCase::new("select token", |_| Self::new(40))]
    }
}
