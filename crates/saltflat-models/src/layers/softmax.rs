//! Softmax over the channels.

use burn::tensor::Tensor;
use saltflat_config::Section;
use serde::Serialize;

use crate::{
    Jet, Layer, ModelError, Pass,
    jet::{for_each_direction, sum},
    layer_config::{LayerCase, LayerConfig, LayerKeys},
    place::{Built, Place},
};

/// y_c = e^{x_c} / Σ_k e^{x_k} over the channels, at every position by itself: PyTorch's `nn.Softmax2d`, and of vectors `nn.Softmax(dim=1)`.
/// The largest of the channels is taken off before the exponential, so that no x overflows.
///
/// Jet: log y = x − log Σ_k e^{x_k} has the first coefficient c = ẋ − ⟨y, ẋ⟩ and the second ẍ − ⟨y, ẍ⟩ − ⟨y, c²⟩, with ⟨·,·⟩ the sum over the
/// channels, so that ẏ = y c and ÿ = y (c² + ẍ − ⟨y, ẍ⟩ − ⟨y, c²⟩).
#[derive(Clone, Copy, Debug)]
pub struct Softmax;

impl Layer for Softmax {
    fn forward(&self, x: Jet, pass: &mut Pass<'_>) -> Jet {
        let largest = x.value.clone().without_autodiff().max_dim(1);
        let exponentials = (x.value - largest).exp();
        let value = exponentials.clone() / exponentials.sum_dim(1);
        let Some(rows) = x.first.as_ref().or(x.second.as_ref()) else { return Jet::constant(value) };
        let y = for_each_direction(&value, rows);
        let centred = |t: Tensor<4>| t.clone() - (y.clone() * t).sum_dim(1);
        let first = x.first.map(centred);
        let curved = match pass.second_order() {
            true => first.clone().map(|c| centred(c.square())),
            false => None,
        };
        let second = sum(x.second.map(centred), curved);
        let times_y = |t: Tensor<4>| y.clone() * t;
        Jet { value, first: first.map(times_y), second: second.map(times_y) }
    }
}

/// The keys of softmax in a list of layers: none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SoftmaxConfig {}

impl LayerConfig for SoftmaxConfig {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn build(&self, place: &mut Place<'_>) -> Result<Built, ModelError> {
        Ok(Built::new(Softmax, place.input()))
    }
}

impl LayerKeys for SoftmaxConfig {
    const NAMES: &'static [&'static str] = &["softmax"];
    const EXAMPLE: &'static str = "";

    fn read(_: &str, _: &mut Section) -> Self {
        Self {}
    }

    fn cases() -> Vec<LayerCase> {
        vec![LayerCase::new("softmax", r#"["softmax"]"#)]
    }
}
