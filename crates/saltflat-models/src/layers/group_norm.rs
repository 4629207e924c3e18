//! Group normalisation.

use super::{
    case::{CASE_INPUT, LayerCase, LayerCases},
    normalise::{Affine, standardise},
};
use crate::{Jet, Layer, Layout, Pass};

/// Normalises each sample over the positions and channels of a group, then γ x̂ + β: PyTorch's `nn.GroupNorm`, ε = 1e−5.
/// Wu and He 2018, arXiv 1803.08494.
#[derive(Debug)]
pub struct GroupNorm {
    groups: usize,
    affine: Affine,
}

impl GroupNorm {
    /// Adds `NAME.weight` and `NAME.bias` `[channels]` to the layout; `groups` divides `channels`.
    pub fn new(layout: &mut Layout, name: &str, channels: usize, groups: usize) -> Self {
        Self { groups, affine: Affine::new(layout, name, channels) }
    }
}

impl Layer for GroupNorm {
    fn forward(&self, x: Jet, pass: &mut Pass<'_>) -> Jet {
        if let Some(y) = self.affine.group_norm(&x, self.groups, pass) {
            return y;
        }
        let [_, c, h, w] = x.value.dims();
        let x = x.linear(|t| {
            let rows = t.dims()[0];
            t.reshape([rows, self.groups, c / self.groups * h * w])
        });
        let x = standardise(x, pass.second_order()).linear(|t| {
            let rows = t.dims()[0];
            t.reshape([rows, c, h, w])
        });
        self.affine.forward(x, pass)
    }
}

impl LayerCases for GroupNorm {
    fn cases() -> Vec<LayerCase> {
        vec![
            LayerCase::new("group norm", |layout| Self::new(layout, "layer", CASE_INPUT[0], 2)),
            LayerCase::new("group norm, one group", |layout| Self::new(layout, "layer", CASE_INPUT[0], 1)),
        ]
    }
}
