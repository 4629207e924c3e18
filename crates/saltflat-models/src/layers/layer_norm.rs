//! Layer normalisation and RMS normalisation.

use super::{
    affine::Affine,
    case::{CASE_INPUT, LayerCase, LayerCases},
    normalise::{EPSILON, Standardise},
};
use crate::{Jet, Layer, Layout, Pass};

/// What a [`LayerNorm`] takes the mean over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NormOver {
    /// The channels, at every position by itself; γ and β are `[channels]`.
    Channels,
    /// Channels and positions together; γ and β are `[channels, height, width]`.
    All,
}

/// Normalises each sample, at every position over the channels or over all at once, then γ x̂ + β: PyTorch's `nn.LayerNorm`, by default
/// ε = 1e−5. Ba, Kiros and Hinton 2016, arXiv 1607.06450. If it is not centred, the mean is not subtracted: PyTorch's `nn.RMSNorm`; Zhang and
/// Sennrich 2019, arXiv 1910.07467.
#[derive(Debug)]
pub struct LayerNorm {
    over: NormOver,
    eps: f64,
    centred: bool,
    affine: Affine,
}

impl LayerNorm {
    /// Adds `NAME.weight` and `NAME.bias`, those that are asked for, to the layout, of inputs of this shape `[channels, height, width]`.
    pub fn new(
        layout: &mut Layout,
        name: &str,
        input: [usize; 3],
        over: NormOver,
        eps: f64,
        centred: bool,
        tensors: [bool; 2],
    ) -> Self {
        let shape = match over {
            NormOver::Channels => &input[..1],
            NormOver::All => &input[..],
        };
        Self { over, eps, centred, affine: Affine::new(layout, name, shape, tensors) }
    }
}

impl Layer for LayerNorm {
    fn forward(&self, x: Jet, pass: &mut Pass<'_>) -> Jet {
        let [_, c, h, w] = x.value.dims();
        let (shape, dim) = match self.over {
            NormOver::Channels => ([c, h * w], 1),
            NormOver::All => ([1, c * h * w], 2),
        };
        let x = x.linear(|t| {
            let rows = t.dims()[0];
            t.reshape([rows, shape[0], shape[1]])
        });
        let standardise = Standardise { dim, eps: self.eps, centred: self.centred };
        let x = standardise.forward(x, pass.second_order()).linear(|t| {
            let rows = t.dims()[0];
            t.reshape([rows, c, h, w])
        });
        self.affine.forward(x, pass)
    }
}

impl LayerCases for LayerNorm {
    fn cases() -> Vec<LayerCase> {
        let with = |over, eps, centred, tensors| {
            move |layout: &mut Layout| Self::new(layout, "layer", CASE_INPUT, over, eps, centred, tensors)
        };
        vec![
            LayerCase::new("layer norm", with(NormOver::Channels, EPSILON, true, [true; 2])),
            LayerCase::new("layer norm over all", with(NormOver::All, EPSILON, true, [true; 2])),
            LayerCase::new("layer norm, ε 0.1, without bias", with(NormOver::Channels, 0.1, true, [true, false])),
            LayerCase::new("layer norm over all, without bias", with(NormOver::All, EPSILON, true, [true, false])),
            LayerCase::new("layer norm, not affine", with(NormOver::Channels, EPSILON, true, [false; 2])),
            LayerCase::new("RMS norm", with(NormOver::Channels, 1e-3, false, [true, false])),
            LayerCase::new("RMS norm over all", with(NormOver::All, 1e-3, false, [true, false])),
            LayerCase::new("RMS norm, not affine", with(NormOver::Channels, 1e-3, false, [false; 2])),
        ]
    }
}
