//! Layer normalisation.

use saltflat_config::{Section, named_enum};
use serde::Serialize;

use super::{
    affine::Affine,
    keys::{affine_and_bias, eps},
    normalise::{EPSILON, Standardise},
};
use crate::{
    Jet, Layer, ModelError, Pass,
    layer_config::{LayerCase, LayerConfig, LayerKeys},
    place::{Built, Place},
};

named_enum! {
    /// What a [`LayerNorm`] takes the mean over.
    #[derive(Default)]
    pub enum NormOver {
        /// The channels, at every position by itself; γ and β are `[channels]`.
        #[default]
        Channels = "channels",
        /// Channels and positions together; γ and β are `[channels, height, width]`.
        All = "all",
    }
}

impl NormOver {
    fn affine(self, place: &mut Place<'_>, tensors: [bool; 2]) -> Affine {
        let input = place.input();
        let shape = match self {
            Self::Channels => &input[..1],
            Self::All => &input[..],
        };
        Affine::new(place, shape, tensors)
    }

    /// `over`.
    pub(super) fn read(section: &mut Section) -> Self {
        section.choice("over", &Self::ALL).unwrap_or_default()
    }
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
    /// Adds `NAME.weight` and `NAME.bias`, those of `tensors` that are asked for.
    pub fn new(place: &mut Place<'_>, over: NormOver, eps: f64, tensors: [bool; 2]) -> Self {
        Self { over, eps, centred: true, affine: over.affine(place, tensors) }
    }

    /// RMS normalisation; adds `NAME.weight`, if it is `affine`.
    pub fn rms(place: &mut Place<'_>, over: NormOver, eps: f64, affine: bool) -> Self {
        Self { over, eps, centred: false, affine: over.affine(place, [affine, false]) }
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
        self.affine.forward_in_layers(x, pass)
    }
}

/// The keys of layer normalisation in a list of layers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LayerNormConfig {
    /// What the mean is taken over.
    pub over: NormOver,
    /// ε, which is added to the variance.
    pub eps: f64,
    /// True if factors follow.
    pub affine: bool,
    /// True if offsets follow.
    pub bias: bool,
}

impl LayerConfig for LayerNormConfig {
    fn name(&self) -> &'static str {
        "layer-norm"
    }

    fn build(&self, place: &mut Place<'_>) -> Result<Built, ModelError> {
        let tensors = [self.affine, self.affine && self.bias];
        Ok(Built::new(LayerNorm::new(place, self.over, self.eps, tensors), place.input()))
    }
}

impl LayerKeys for LayerNormConfig {
    const NAMES: &'static [&'static str] = &["layer-norm"];
    const EXAMPLE: &'static str = "";

    fn read(_: &str, section: &mut Section) -> Self {
        let [affine, bias] = affine_and_bias(section);
        Self { over: NormOver::read(section), eps: eps(section, EPSILON), affine, bias }
    }

    fn cases() -> Vec<LayerCase> {
        let case = |name, keys| LayerCase::new(name, format!("[{{ kind = \"layer-norm\", {keys} }}]"));
        vec![
            case("layer norm", "over = \"channels\""),
            case("layer norm over all", "over = \"all\""),
            case("layer norm, ε 0.1, without bias", "eps = 0.1, bias = false"),
            case("layer norm over all, without bias", "over = \"all\", bias = false"),
            case("layer norm, not affine", "affine = false"),
        ]
    }
}
