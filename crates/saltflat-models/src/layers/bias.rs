//! A trainable offset.

use burn::tensor::Tensor;
use saltflat_config::Section;
use serde::Serialize;

use super::keys::{Per, distribution};
use crate::{
    Init, Jet, Layer, ModelError, Pass, PerSample,
    init::InitialValues,
    jet::for_each_sample,
    layer_config::{LayerCase, LayerConfig, LayerKeys},
    layout::Slot,
    place::{Built, Place},
};

/// y = x + b with one trainable number b, 0 at first, as in Fixup networks (Zhang, Dauphin, Ma 2019, arXiv 1901.09321), or with one a channel.
#[derive(Debug)]
pub struct Bias {
    bias: Slot,
    /// The number of offsets: 1, or that of the channels.
    count: usize,
}

impl Bias {
    /// Adds the tensor NAME `[count]`: one offset for everything, or as many as there are channels.
    pub fn new(place: &mut Place<'_>, count: usize, init: Init) -> Self {
        Self { bias: place.parameter("", &[count], init), count }
    }

    /// The layer of a tensor that there is.
    pub(super) fn of_slot(bias: Slot, count: usize) -> Self {
        Self { bias, count }
    }
}

impl Layer for Bias {
    fn forward(&self, x: Jet, pass: &mut Pass<'_>) -> Jet {
        let [n, c, h, w] = x.value.dims();
        let count = self.count;
        let bias = pass.tensor::<1>(self.bias, [count]).expand([c]);
        let velocity = pass.velocity::<1>(self.bias, [count]);
        let first = match (x.first, velocity) {
            (None, Some(v)) => Some(
                for_each_sample(v.reshape([-1, count as isize, 1, 1]), n)
                    .expand([-1, c as isize, h as isize, w as isize]),
            ),
            (Some(t), Some(v)) => {
                let directions = v.dims()[0] / count;
                let of_channels = v.reshape([directions, count]).expand([directions, c]).reshape([directions * c]);
                Some(saltflat_kernels::shift_first(t, of_channels, n))
            }
            (first, None) => first,
        };
        let value = saltflat_kernels::shift(x.value, bias);
        let value = pass.record(value, || Rows { count });
        Jet { value, first, second: x.second }
    }
}

/// The keys of a trainable offset in a list of layers. Its tensor has the name of the item itself.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct BiasConfig {
    /// Whether there is one offset, or one a channel.
    pub per: Per,
    /// How the offsets start.
    pub init: InitialValues,
}

/// One offset, 0 at first.
impl Default for BiasConfig {
    fn default() -> Self {
        Self { per: Per::All, init: InitialValues::Distribution(Init::ZERO) }
    }
}

impl LayerConfig for BiasConfig {
    fn name(&self) -> &'static str {
        "bias"
    }

    fn build(&self, place: &mut Place<'_>) -> Result<Built, ModelError> {
        let (count, init) = (self.per.count(place), self.init.weight([1, 1]));
        Ok(Built::new(Bias::new(place, count, init), place.input()))
    }
}

impl LayerKeys for BiasConfig {
    const NAMES: &'static [&'static str] = &["bias"];
    const EXAMPLE: &'static str = "";

    fn read(_: &str, section: &mut Section) -> Self {
        Self { per: Per::read(section), init: distribution(section, Init::ZERO) }
    }

    fn cases() -> Vec<LayerCase> {
        vec![
            LayerCase::new("scalar bias", r#"["bias"]"#),
            LayerCase::new("bias per channel", r#"[{ kind = "bias", per = "channel", init = { normal = 0.4 } }]"#),
        ]
    }
}

/// The gradient of a sample: Σ δ, over everything or the positions of each channel.
struct Rows {
    count: usize,
}

impl PerSample for Rows {
    fn keep(&self, delta: Tensor<4>) -> Tensor<2> {
        let [n, c, h, w] = delta.dims();
        let rows = delta.reshape([n * self.count, c / self.count * h * w]);
        saltflat_kernels::row_sums(rows).reshape([n, self.count])
    }
}
