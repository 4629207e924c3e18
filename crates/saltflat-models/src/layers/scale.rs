//! One factor for everything, of Fixup networks (Zhang, Dauphin, Ma 2019, arXiv 1901.09321).

use burn::tensor::Tensor;
use saltflat_config::Section;
use saltflat_kernels::{scale_first, scale_second};
use serde::Serialize;

use crate::{
    Init, Jet, Layer, ModelError, Pass, PerSample,
    layer_config::{LayerCase, LayerConfig, LayerKeys},
    layout::Slot,
    place::{Built, Place},
};

/// y = s x with one trainable number s, 1 at first.
///
/// Jet: ẏ = s ẋ + v x, ÿ = s ẍ + 2 v ẋ.
#[derive(Debug)]
pub struct Scale {
    scale: Slot,
}

impl Scale {
    /// Adds the tensor NAME `[1]`.
    pub fn new(place: &mut Place<'_>) -> Self {
        Self { scale: place.parameter("", &[1], Init::Constant(1.0)) }
    }
}

impl Layer for Scale {
    fn forward(&self, x: Jet, pass: &mut Pass<'_>) -> Jet {
        let [n, channels, ..] = x.value.dims();
        let scale = pass.tensor::<1>(self.scale, [1]).expand([channels]);
        let velocity = pass.velocity::<1>(self.scale, [1]).map(|v| {
            let directions = v.dims()[0];
            v.reshape([directions, 1]).expand([directions, channels]).reshape([directions * channels])
        });
        let value = saltflat_kernels::scale(x.value.clone(), scale.clone());
        let value = pass.record(value, || Rows { input: x.value.clone().without_autodiff() });
        let Some(velocity) = velocity else {
            let scaled = |t| saltflat_kernels::scale(t, scale.clone());
            return Jet { value, first: x.first.map(scaled), second: x.second.map(scaled) };
        };
        let directions = velocity.dims()[0] / channels;
        let first = x.first.unwrap_or_else(|| x.value.clone().repeat_dim(0, directions).zeros_like());
        let factors = [scale, velocity];
        let second = pass.second_order().then(|| scale_second(first.clone(), x.second, factors.clone(), n));
        Jet { value, first: Some(scale_first([x.value, first], factors)), second }
    }
}

/// The keys of a scalar scale in a list of layers: none. Its tensor has the name of the item itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ScaleConfig {}

impl LayerConfig for ScaleConfig {
    fn name(&self) -> &'static str {
        "scale"
    }

    fn build(&self, place: &mut Place<'_>) -> Result<Built, ModelError> {
        Ok(Built::new(Scale::new(place), place.input()))
    }
}

impl LayerKeys for ScaleConfig {
    const NAMES: &'static [&'static str] = &["scale"];
    const EXAMPLE: &'static str = "";

    fn read(_: &str, _: &mut Section) -> Self {
        Self {}
    }

    fn cases() -> Vec<LayerCase> {
        vec![LayerCase::new("scalar scale", r#"["scale"]"#)]
    }
}

/// The gradient of a sample: Σ δ x.
struct Rows {
    input: Tensor<4>,
}

impl PerSample for Rows {
    fn keep(&self, delta: Tensor<4>) -> Tensor<2> {
        saltflat_kernels::row_products(delta.flatten(1, 3), self.input.clone().flatten(1, 3)).unsqueeze_dim(1)
    }
}
