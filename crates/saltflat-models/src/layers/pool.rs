//! Pooling.

use super::case::{LayerCase, LayerCases};
use crate::{Jet, Layer, Pass};

/// Maximum over windows of 2 × 2; an odd last row or column is dropped. The jet is that of the chosen entry.
#[derive(Debug)]
pub struct MaxPool;

impl Layer for MaxPool {
    fn forward(&self, x: Jet, _: &mut Pass<'_>) -> Jet {
        let (value, [first, second]) = saltflat_kernels::max_pool(x.value, [x.first, x.second]);
        Jet { value, first, second }
    }
}

impl LayerCases for MaxPool {
    fn cases() -> Vec<LayerCase> {
        vec![LayerCase::new("max pool", |_| Self)]
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

impl LayerCases for AvgPool {
    fn cases() -> Vec<LayerCase> {
        vec![LayerCase::new("average pool", |_| Self)]
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

impl LayerCases for GlobalAvgPool {
    fn cases() -> Vec<LayerCase> {
        vec![LayerCase::new("global average pool", |_| Self)]
    }
}
