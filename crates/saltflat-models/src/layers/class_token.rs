//! A learned token before all others.

use burn::tensor::Tensor;
use saltflat_config::Section;
use serde::Serialize;

use super::keys::distribution;
use crate::{
    Init, Jet, Layer, ModelError, Pass, PerSample,
    init::InitialValues,
    jet::for_each_sample,
    layer_config::{LayerCase, LayerConfig, LayerKeys},
    layout::Slot,
    place::{Built, Place},
};

/// A learned token e `[channels]` before those of the input: `[batch, channels, h, w]` to `[batch, channels, 1 + h·w, 1]`, as in Dosovitskiy et
/// al. 2020, arXiv 2010.11929.
///
/// Jet: (v, ẋ) and (0, ẍ).
#[derive(Debug)]
pub struct ClassToken {
    token: Slot,
    channels: usize,
}

impl ClassToken {
    /// Adds the tensor NAME `[1, 1, channels]`.
    pub fn new(place: &mut Place<'_>, channels: usize, init: Init) -> Self {
        Self { token: place.parameter("", &[1, 1, channels], init), channels }
    }
}

impl Layer for ClassToken {
    fn forward(&self, x: Jet, pass: &mut Pass<'_>) -> Jet {
        let [n, c, h, w] = x.value.dims();
        let shape = [1, self.channels, 1, 1];
        let zeros = |rows: usize, tokens: usize| {
            Tensor::<4>::zeros([rows, c, tokens, 1], (&x.value.device().without_autodiff(), x.value.dtype()))
        };
        let before = |token: Tensor<4>, rest: Tensor<4>| {
            let rows = rest.dims()[0];
            Tensor::cat(vec![token, rest.reshape([rows, c, h * w, 1])], 2)
        };
        let value = before(for_each_sample(pass.tensor::<4>(self.token, shape), n), x.value.clone());
        let first = match (pass.velocity::<4>(self.token, shape), x.first) {
            (None, None) => None,
            (Some(v), None) => {
                let rows = v.dims()[0] * n;
                Some(before(for_each_sample(v, n), zeros(rows, h * w)))
            }
            (None, Some(t)) => Some(before(zeros(t.dims()[0], 1), t)),
            (Some(v), Some(t)) => Some(before(for_each_sample(v, n), t)),
        };
        let second = x.second.map(|t| before(zeros(t.dims()[0], 1), t));
        let value = pass.record(value, || Rows);
        Jet { value, first, second }
    }
}

/// How the token starts, unless a configuration says another: as in vision transformers.
const START: Init = Init::Normal { std: 0.02 };

/// The keys of a class token in a list of layers. Its tensor has the name of the item itself.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ClassTokenConfig {
    /// How the token starts.
    pub init: InitialValues,
}

impl LayerConfig for ClassTokenConfig {
    fn name(&self) -> &'static str {
        "class-token"
    }

    fn build(&self, place: &mut Place<'_>) -> Result<Built, ModelError> {
        let [channels, h, w] = place.input();
        let layer = ClassToken::new(place, channels, self.init.weight([1, 1]));
        Ok(Built::new(layer, [channels, 1 + h * w, 1]))
    }
}

impl LayerKeys for ClassTokenConfig {
    const NAMES: &'static [&'static str] = &["class-token"];
    const EXAMPLE: &'static str = "";

    fn read(_: &str, section: &mut Section) -> Self {
        Self { init: distribution(section, START) }
    }

    fn cases() -> Vec<LayerCase> {
        vec![LayerCase::new("class token", r#"["class-token"]"#)]
    }
}

/// The gradient of a sample: δ at the first token.
struct Rows;

impl PerSample for Rows {
    fn keep(&self, delta: Tensor<4>) -> Tensor<2> {
        let [n, c, ..] = delta.dims();
        delta.slice([0..n, 0..c, 0..1]).reshape([n, c])
    }
}
