//! Pooling.

use burn::tensor::{
    Tensor, module,
    ops::{AvgPoolOptions, MaxPoolOptions},
};

use super::Layer;
use crate::{Jet, Pass};

/// Maximum over windows of 2 × 2; an odd last row or column is dropped. The jet is that of the chosen entry.
#[derive(Debug)]
pub struct MaxPool;

impl Layer for MaxPool {
    fn forward(&self, x: Jet, _: &mut Pass<'_>) -> Jet {
        let options = MaxPoolOptions::new([2, 2]).with_stride([2, 2]);
        if x.first.is_none() && x.second.is_none() {
            return Jet::constant(module::max_pool2d(x.value, options));
        }
        let [n, c, h, w] = x.value.dims();
        let (value, chosen) = module::max_pool2d_with_indices(x.value, options);
        let shape = value.dims();
        let chosen = chosen.reshape([n, c, shape[2] * shape[3]]);
        let [_, _, rows, columns] = shape;
        let pick = |t: Tensor<4>| {
            let directions = t.dims()[0] / n;
            let chosen = if directions == 1 { chosen.clone() } else { chosen.clone().repeat_dim(0, directions) };
            t.reshape([directions * n, c, h * w]).gather(2, chosen).reshape([directions * n, c, rows, columns])
        };
        Jet { value, first: x.first.map(pick), second: x.second.map(pick) }
    }
}

/// Mean over windows of 2 × 2; an odd last row or column is dropped.
#[derive(Debug)]
pub struct AvgPool;

impl Layer for AvgPool {
    fn forward(&self, x: Jet, _: &mut Pass<'_>) -> Jet {
        x.linear(|t| module::avg_pool2d(t, AvgPoolOptions::new([2, 2]).with_stride([2, 2])))
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
