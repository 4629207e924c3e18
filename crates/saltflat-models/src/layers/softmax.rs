//! Softmax over the channels.

use burn::tensor::{DType, FloatDType, Tensor, activation};
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
        softmax(x, 1, pass.second_order())
    }
}

/// Softmax over a dimension, and its jet; of half precision in f32.
pub(super) fn softmax<const D: usize>(x: Jet<D>, dim: usize, second_order: bool) -> Jet<D> {
    match x.value.dtype() {
        half @ (DType::F16 | DType::BF16) => {
            in_full_precision(x.linear(|t| t.cast(FloatDType::F32)), dim, second_order)
                .linear(|t| t.cast(FloatDType::from(half)))
        }
        _ => in_full_precision(x, dim, second_order),
    }
}

fn in_full_precision<const D: usize>(x: Jet<D>, dim: usize, second_order: bool) -> Jet<D> {
    let value = activation::softmax(x.value, dim);
    // t − ⟨y, t⟩.
    let centred = |t: Tensor<D>| {
        let mean = (for_each_direction(&value, &t) * t.clone()).sum_dim(dim);
        t - mean
    };
    let weighted = |t: Tensor<D>| for_each_direction(&value, &t) * t;
    let first = x.first.map(centred);
    let second = if second_order {
        sum(first.clone().map(Tensor::<D>::square), x.second).map(|t| weighted(centred(t)))
    } else {
        None
    };
    Jet { first: first.map(weighted), second, value }
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
