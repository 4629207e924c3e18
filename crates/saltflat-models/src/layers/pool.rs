//! Pooling.

use saltflat_config::Section;
use serde::Serialize;

use crate::{
    Jet, Layer, ModelError, Pass,
    layer_config::{LayerCase, LayerConfig, LayerKeys},
    place::{Built, Place},
};

/// Maximum over windows of 2 × 2; an odd last row or column is dropped. The jet is that of the chosen entry.
#[derive(Debug)]
pub struct MaxPool;

impl Layer for MaxPool {
    fn forward(&self, x: Jet, _: &mut Pass<'_>) -> Jet {
        let (value, [first, second]) = saltflat_kernels::max_pool(x.value, [x.first, x.second]);
        Jet { value, first, second }
    }
}

/// The keys of max pooling in a list of layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct MaxPoolConfig {}

impl LayerConfig for MaxPoolConfig {
    fn name(&self) -> &'static str {
        "max-pool"
    }

    fn build(&self, place: &mut Place<'_>) -> Result<Built, ModelError> {
        let [c, h, w] = place.input();
        if h.min(w) < 2 {
            return Err(place.error("images of at least 2 × 2 pixels"));
        }
        Ok(Built::new(MaxPool, [c, h / 2, w / 2]))
    }
}

impl LayerKeys for MaxPoolConfig {
    const NAMES: &'static [&'static str] = &["max-pool"];
    const EXAMPLE: &'static str = "";

    fn read(_: &str, _: &mut Section) -> Self {
        Self {}
    }

    fn cases() -> Vec<LayerCase> {
        vec![LayerCase::new("max pool", r#"["max-pool"]"#)]
    }
}

/// Mean over windows of 2 × 2; an odd last row or column is dropped.
#[derive(Debug)]
pub struct AvgPool;

impl Layer for AvgPool {
    fn forward(&self, x: Jet, _: &mut Pass<'_>) -> Jet {
        x.linear(saltflat_kernels::mean_pool)
    }
}

/// The keys of average pooling in a list of layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct AvgPoolConfig {}

impl LayerConfig for AvgPoolConfig {
    fn name(&self) -> &'static str {
        "avg-pool"
    }

    fn build(&self, place: &mut Place<'_>) -> Result<Built, ModelError> {
        let [c, h, w] = place.input();
        if h.min(w) < 2 {
            return Err(place.error("images of at least 2 × 2 pixels"));
        }
        Ok(Built::new(AvgPool, [c, h / 2, w / 2]))
    }
}

impl LayerKeys for AvgPoolConfig {
    const NAMES: &'static [&'static str] = &["avg-pool"];
    const EXAMPLE: &'static str = "";

    fn read(_: &str, _: &mut Section) -> Self {
        Self {}
    }

    fn cases() -> Vec<LayerCase> {
        vec![LayerCase::new("average pool", r#"["avg-pool"]"#)]
    }
}

/// Mean over all positions: `[batch, channels, 1, 1]`.
#[derive(Debug)]
pub struct GlobalAvgPool;

impl Layer for GlobalAvgPool {
    fn forward(&self, x: Jet, _: &mut Pass<'_>) -> Jet {
        x.linear(|t| {
            let [n, c, h, w] = t.dims();
            t.reshape([n, c, h * w]).mean_dim(2).reshape([n, c, 1, 1])
        })
    }
}

/// The keys of the mean over all positions in a list of layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct GlobalAvgPoolConfig {}

impl LayerConfig for GlobalAvgPoolConfig {
    fn name(&self) -> &'static str {
        "global-avg-pool"
    }

    fn build(&self, place: &mut Place<'_>) -> Result<Built, ModelError> {
        let [c, ..] = place.input();
        Ok(Built::new(GlobalAvgPool, [c, 1, 1]))
    }
}

impl LayerKeys for GlobalAvgPoolConfig {
    const NAMES: &'static [&'static str] = &["global-avg-pool"];
    const EXAMPLE: &'static str = "";

    fn read(_: &str, _: &mut Section) -> Self {
        Self {}
    }

    fn cases() -> Vec<LayerCase> {
        vec![LayerCase::new("global average pool", r#"["global-avg-pool"]"#)]
    }
}
