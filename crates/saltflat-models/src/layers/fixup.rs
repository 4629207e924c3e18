//! Layers of Fixup networks (Zhang, Dauphin, Ma 2019, arXiv 1901.09321).

use burn::tensor::{Slice, Tensor};
use saltflat_kernels::{scale_first, scale_second};

use super::case::{LayerCase, LayerCases};
use crate::{Init, Jet, Layer, Layout, Pass, PerSample, jet::for_each_sample, layout::Slot};

/// y = x + b with one trainable number b, 0 at first.
#[derive(Debug)]
pub struct Bias {
    bias: Slot,
}

impl Bias {
    /// Adds the tensor NAME `[1]` to the layout.
    pub fn new(layout: &mut Layout, name: &str) -> Self {
        Self { bias: layout.parameter(name, &[1], Init::Constant(0.0)) }
    }
}

impl Layer for Bias {
    fn forward(&self, x: Jet, pass: &mut Pass<'_>) -> Jet {
        let [n, c, h, w] = x.value.dims();
        let bias = pass.tensor::<1>(self.bias, [1]).expand([c]);
        let velocity = pass.velocity::<1>(self.bias, [1]);
        let first = match (x.first, velocity) {
            (None, Some(v)) => {
                Some(for_each_sample(v.reshape([-1, 1, 1, 1]), n).expand([-1, c as isize, h as isize, w as isize]))
            }
            (Some(t), Some(v)) => {
                let directions = v.dims()[0];
                let of_channels = v.reshape([directions, 1]).expand([directions, c]).reshape([directions * c]);
                Some(saltflat_kernels::shift_first(t, of_channels, n))
            }
            (first, None) => first,
        };
        let value = saltflat_kernels::shift(x.value, bias);
        let value = pass.record(value, || BiasRows);
        Jet { value, first, second: x.second }
    }
}

impl LayerCases for Bias {
    fn cases() -> Vec<LayerCase> {
        vec![LayerCase::new("scalar bias", |layout| Self::new(layout, "layer"))]
    }
}

/// The gradient of a sample: Σ δ.
struct BiasRows;

impl PerSample for BiasRows {
    fn keep(&self, delta: Tensor<4>) -> Tensor<2> {
        saltflat_kernels::row_sums(delta.flatten(1, 3)).unsqueeze_dim(1)
    }
}

/// y = s x with one trainable number s, 1 at first.
///
/// Jet: ẏ = s ẋ + v x, ÿ = s ẍ + 2 v ẋ.
#[derive(Debug)]
pub struct Scale {
    scale: Slot,
}

impl Scale {
    /// Adds the tensor NAME `[1]` to the layout.
    pub fn new(layout: &mut Layout, name: &str) -> Self {
        Self { scale: layout.parameter(name, &[1], Init::Constant(1.0)) }
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
        let value = pass.record(value, || ScaleRows { input: x.value.clone().without_autodiff() });
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

impl LayerCases for Scale {
    fn cases() -> Vec<LayerCase> {
        vec![LayerCase::new("scalar scale", |layout| Self::new(layout, "layer"))]
    }
}

/// The gradient of a sample: Σ δ x.
struct ScaleRows {
    input: Tensor<4>,
}

impl PerSample for ScaleRows {
    fn keep(&self, delta: Tensor<4>) -> Tensor<2> {
        saltflat_kernels::row_products(delta.flatten(1, 3), self.input.clone().flatten(1, 3)).unsqueeze_dim(1)
    }
}

/// Every second position, then as many zero channels again: `AvgPool2d(1, stride=2)` and a concatenation with zeros in the
/// authors' code.
#[derive(Debug)]
pub struct FixupShortcut;

impl Layer for FixupShortcut {
    fn forward(&self, x: Jet, _: &mut Pass<'_>) -> Jet {
        x.linear(|t| {
            let every_second = Slice::new(0, None, 2);
            let kept = t.slice([Slice::full(), Slice::full(), every_second, every_second]);
            let zeros = kept.clone().without_autodiff().zeros_like();
            Tensor::cat(vec![kept, zeros], 1)
        })
    }
}

impl LayerCases for FixupShortcut {
    fn cases() -> Vec<LayerCase> {
        vec![LayerCase::new("fixup shortcut", |_| Self)]
    }
}
