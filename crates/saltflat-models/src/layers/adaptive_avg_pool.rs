//! Mean over as many windows as the output is to have.

use burn::tensor::module;
use saltflat_config::Section;
use serde::Serialize;

use super::per_axis::{self, per_axis};
use crate::{
    Jet, Layer, ModelError, Pass,
    layer_config::{LayerCase, LayerConfig, LayerKeys},
    place::{Built, Place},
};

/// Mean over windows that divide the image, PyTorch's `nn.AdaptiveAvgPool2d`: along a side of H pixels the window of output i of o is from
/// ⌊i H / o⌋ to below ⌈(i + 1) H / o⌉, so that neighbours overlap if o does not divide H.
#[derive(Clone, Copy, Debug)]
pub struct AdaptiveAvgPool {
    /// Height and width of the output.
    pub output: [usize; 2],
}

impl Layer for AdaptiveAvgPool {
    fn forward(&self, x: Jet, _: &mut Pass<'_>) -> Jet {
        match self.output {
            [1, 1] => x.linear(|t| {
                let [n, c, h, w] = t.dims();
                t.reshape([n, c, h * w]).mean_dim(2).reshape([n, c, 1, 1])
            }),
            output => x.linear(|t| module::adaptive_avg_pool2d(t, output)),
        }
    }
}

/// The keys of adaptive average pooling in a list of layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct AdaptiveAvgPoolConfig {
    /// Height and width of the output.
    #[serde(serialize_with = "per_axis::write")]
    pub output: [usize; 2],
}

impl Default for AdaptiveAvgPoolConfig {
    /// The mean over all positions.
    fn default() -> Self {
        Self { output: [1; 2] }
    }
}

impl LayerConfig for AdaptiveAvgPoolConfig {
    fn name(&self) -> &'static str {
        "adaptive-avg-pool"
    }

    fn build(&self, place: &mut Place<'_>) -> Result<Built, ModelError> {
        let ([c, ..], [h, w]) = (place.input(), self.output);
        Ok(Built::new(AdaptiveAvgPool { output: self.output }, [c, h, w]))
    }
}

impl LayerKeys for AdaptiveAvgPoolConfig {
    const NAMES: &'static [&'static str] = &["adaptive-avg-pool"];
    const EXAMPLE: &'static str = "";

    fn read(_: &str, section: &mut Section) -> Self {
        Self { output: per_axis(section, "output", 1).unwrap_or([1; 2]) }
    }

    fn cases() -> Vec<LayerCase> {
        vec![
            LayerCase::new("global average pool", r#"["adaptive-avg-pool"]"#),
            LayerCase::new("adaptive average pool 3×2", r#"[{ kind = "adaptive-avg-pool", output = [3, 2] }]"#),
            LayerCase::new(
                "adaptive average pool to more positions",
                r#"[{ kind = "adaptive-avg-pool", output = [9, 4] }]"#,
            ),
        ]
    }
}
