//! Group normalisation.

use super::{
    affine::Affine,
    case::{CASE_INPUT, LayerCase, LayerCases},
    normalise::{EPSILON, Standardise},
};
use crate::{Jet, Layer, Layout, Pass};

/// Normalises each sample over the positions and channels of a group, then γ x̂ + β: PyTorch's `nn.GroupNorm`, by default ε = 1e−5.
/// Wu and He 2018, arXiv 1803.08494.
#[derive(Debug)]
pub struct GroupNorm {
    groups: usize,
    eps: f64,
    affine: Affine,
}

impl GroupNorm {
    /// Adds `NAME.weight` and `NAME.bias` `[channels]` to the layout; `groups` divides `channels`.
    pub fn new(layout: &mut Layout, name: &str, channels: usize, groups: usize) -> Self {
        Self::with(layout, name, channels, groups, EPSILON, true)
    }

    /// As [`new`](Self::new), with this ε, and without the tensors if it is not `affine`.
    pub fn with(layout: &mut Layout, name: &str, channels: usize, groups: usize, eps: f64, affine: bool) -> Self {
        Self { groups, eps, affine: Affine::new(layout, name, &[channels], [affine; 2]) }
    }
}

impl Layer for GroupNorm {
    fn forward(&self, x: Jet, pass: &mut Pass<'_>) -> Jet {
        if let Some(y) = self.affine.group_norm(&x, self.groups, self.eps, pass) {
            return y;
        }
        let [_, c, h, w] = x.value.dims();
        let x = x.linear(|t| {
            let rows = t.dims()[0];
            t.reshape([rows, self.groups, c / self.groups * h * w])
        });
        let standardise = Standardise { dim: 2, eps: self.eps, centred: true };
        let x = standardise.forward(x, pass.second_order()).linear(|t| {
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
            LayerCase::new("group norm, ε 0.1", |layout| Self::with(layout, "layer", CASE_INPUT[0], 2, 0.1, true)),
            LayerCase::new("group norm, not affine", |layout| {
                Self::with(layout, "layer", CASE_INPUT[0], 2, 1e-5, false)
            }),
        ]
    }
}
