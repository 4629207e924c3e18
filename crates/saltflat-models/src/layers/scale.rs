//! A trainable factor.

use burn::tensor::Tensor;
use saltflat_config::Section;
use saltflat_kernels::{row_products, scale_first, scale_second};
use serde::Serialize;

use super::keys::{Per, distribution};
use crate::{
    Init, Jet, Layer, ModelError, Pass, PerSample,
    init::InitialValues,
    layer_config::{LayerCase, LayerConfig, LayerKeys},
    layout::Slot,
    place::{Built, Place},
};

/// y = s x with one trainable number s, 1 at first, as in Fixup networks (Zhang, Dauphin, Ma 2019, arXiv 1901.09321), or with one a channel, as
/// in ConvNeXt (Liu et al. 2022, arXiv 2201.03545).
///
/// Jet: ẏ = s ẋ + v x, ÿ = s ẍ + 2 v ẋ.
#[derive(Debug)]
pub struct Scale {
    scale: Slot,
    /// The number of factors: 1, or that of the channels.
    count: usize,
}

impl Scale {
    /// Adds the tensor NAME `[count]`: one factor for everything, or as many as there are channels.
    pub fn new(place: &mut Place<'_>, count: usize, init: Init) -> Self {
        Self { scale: place.parameter("", &[count], init), count }
    }

    /// The layer of a tensor that there is.
    pub(super) fn of_slot(scale: Slot, count: usize) -> Self {
        Self { scale, count }
    }
}

impl Layer for Scale {
    fn forward(&self, x: Jet, pass: &mut Pass<'_>) -> Jet {
        let [n, channels, ..] = x.value.dims();
        let count = self.count;
        let scale = pass.tensor::<1>(self.scale, [count]).expand([channels]);
        let velocity = pass.velocity::<1>(self.scale, [count]).map(|v| {
            let directions = v.dims()[0] / count;
            v.reshape([directions, count]).expand([directions, channels]).reshape([directions * channels])
        });
        let value = saltflat_kernels::scale(x.value.clone(), scale.clone());
        let value = pass.record(value, || Rows { input: x.value.clone().without_autodiff(), count });
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

/// The keys of a trainable factor in a list of layers. Its tensor has the name of the item itself.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ScaleConfig {
    /// Whether there is one factor, or one a channel.
    pub per: Per,
    /// How the factors start.
    pub init: InitialValues,
}

/// One factor, 1 at first.
impl Default for ScaleConfig {
    fn default() -> Self {
        Self { per: Per::All, init: InitialValues::Distribution(START) }
    }
}

/// How factors start, unless a configuration says another.
const START: Init = Init::Constant(1.0);

impl LayerConfig for ScaleConfig {
    fn name(&self) -> &'static str {
        "scale"
    }

    fn build(&self, place: &mut Place<'_>) -> Result<Built, ModelError> {
        let (count, init) = (self.per.count(place), self.init.weight([1, 1]));
        Ok(Built::new(Scale::new(place, count, init), place.input()))
    }
}

impl LayerKeys for ScaleConfig {
    const NAMES: &'static [&'static str] = &["scale"];
    const EXAMPLE: &'static str = "";

    fn read(_: &str, section: &mut Section) -> Self {
        Self { per: Per::read(section), init: distribution(section, START) }
    }

    fn cases() -> Vec<LayerCase> {
        vec![
            LayerCase::new("scalar scale", r#"["scale"]"#),
            LayerCase::new("scale per channel", r#"[{ kind = "scale", per = "channel", init = { normal = 0.4 } }]"#),
        ]
    }
}

/// The gradient of a sample: Σ δ x, over everything or the positions of each channel.
struct Rows {
    input: Tensor<4>,
    count: usize,
}

impl PerSample for Rows {
    fn keep(&self, delta: Tensor<4>) -> Tensor<2> {
        let [n, c, h, w] = delta.dims();
        let rows = |t: Tensor<4>| t.reshape([n * self.count, c / self.count * h * w]);
        row_products(rows(delta), rows(self.input.clone())).reshape([n, self.count])
    }
}
