//! One number added to everything, of Fixup networks (Zhang, Dauphin, Ma 2019, arXiv 1901.09321).

use burn::tensor::Tensor;
use saltflat_config::Section;
use serde::Serialize;

use crate::{
    Init, Jet, Layer, ModelError, Pass, PerSample,
    jet::for_each_sample,
    layer_config::{LayerCase, LayerConfig, LayerKeys},
    layout::Slot,
    place::{Built, Place},
};

/// y = x + b with one trainable number b, 0 at first.
#[derive(Debug)]
pub struct Bias {
    bias: Slot,
}

impl Bias {
    /// Adds the tensor NAME `[1]`.
    pub fn new(place: &mut Place<'_>) -> Self {
        Self { bias: place.parameter("", &[1], Init::Constant(0.0)) }
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
        let value = pass.record(value, || Rows);
        Jet { value, first, second: x.second }
    }
}

/// The keys of a scalar bias in a list of layers: none. Its tensor has the name of the item itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct BiasConfig {}

impl LayerConfig for BiasConfig {
    fn name(&self) -> &'static str {
        "bias"
    }

    fn build(&self, place: &mut Place<'_>) -> Result<Built, ModelError> {
        Ok(Built::new(Bias::new(place), place.input()))
    }
}

impl LayerKeys for BiasConfig {
    const NAMES: &'static [&'static str] = &["bias"];
    const EXAMPLE: &'static str = "";

    fn read(_: &str, _: &mut Section) -> Self {
        Self {}
    }

    fn cases() -> Vec<LayerCase> {
        vec![LayerCase::new("scalar bias", r#"["bias"]"#)]
    }
}

/// The gradient of a sample: Σ δ.
struct Rows;

impl PerSample for Rows {
    fn keep(&self, delta: Tensor<4>) -> Tensor<2> {
        saltflat_kernels::row_sums(delta.flatten(1, 3)).unsqueeze_dim(1)
    }
}
