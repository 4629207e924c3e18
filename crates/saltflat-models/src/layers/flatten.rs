//! Images as vectors.

use super::case::{LayerCase, LayerCases};
use crate::{Jet, Layer, Pass};

/// `[C, H, W]` as `[C · H · W, 1, 1]`, PyTorch's `nn.Flatten`: a linear layer behind it sees all the numbers of a sample.
#[derive(Clone, Copy, Debug)]
pub struct Flatten;

impl Layer for Flatten {
    fn forward(&self, x: Jet, _: &mut Pass<'_>) -> Jet {
        x.linear(|t| {
            let [n, c, h, w] = t.dims();
            t.reshape([n, c * h * w, 1, 1])
        })
    }
}

impl LayerCases for Flatten {
    fn cases() -> Vec<LayerCase> {
        vec![LayerCase::new("flatten", |_| Self)]
    }
}
