//! Mean over as many windows as the output is to have.

use burn::tensor::module;

use super::case::{LayerCase, LayerCases};
use crate::{Jet, Layer, Pass};

/// Mean over windows that divide the image, PyTorch's `nn.AdaptiveAvgPool2d`: along a side of H pixels the window of output i of o is from
/// ⌊i H / o⌋ to below ⌈(i + 1) H / o⌉, so that neighbours overlap if o does not divide H.
#[derive(Clone, Copy, Debug)]
pub struct AdaptiveAvgPool {
    /// Height and width of the output.
    pub output: [usize; 2],
}

impl Default for AdaptiveAvgPool {
    /// The mean over all positions.
    fn default() -> Self {
        Self { output: [1; 2] }
    }
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

impl LayerCases for AdaptiveAvgPool {
    fn cases() -> Vec<LayerCase> {
        vec![
            LayerCase::new("global average pool", |_| Self::default()),
            LayerCase::new("adaptive average pool 3×2", |_| Self { output: [3, 2] }),
            LayerCase::new("adaptive average pool to more positions", |_| Self { output: [9, 4] }),
        ]
    }
}
