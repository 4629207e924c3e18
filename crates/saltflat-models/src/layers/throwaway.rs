//! A throw-away kind.

use burn::tensor::Tensor;
use saltflat_kernels::{scale_first, scale_second};

use super::case::{LayerCase, LayerCases};
use crate::{Init, Jet, Layer, Layout, Pass, PerSample, layout::Slot};

/// y = s x with one trainable number s, 1 at first.
///
/// Jet: ẏ = s ẋ + v x, ÿ = s ẍ + 2 v ẋ.
#[derive(Debug)]
pub struct ThrowawayLayer {
    scale: Slot,
}

impl ThrowawayLayer {
    /// Adds the tensor NAME `[1]` to the layout.
    pub fn new(layout: &mut Layout, name: &str) -> Self {
        Self { scale: layout.parameter(name, &[1], Init::Constant(1.0)) }
    }
}

impl Layer for ThrowawayLayer {
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

impl LayerCases for ThrowawayLayer {
    fn cases() -> Vec<LayerCase> {
        vec![LayerCase::new("throw-away", |layout| Self::new(layout, "layer"))]
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
