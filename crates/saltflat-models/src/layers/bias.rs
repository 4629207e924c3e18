//! One number added to everything, of Fixup networks (Zhang, Dauphin, Ma 2019, arXiv 1901.09321).

use burn::tensor::Tensor;

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
        let value = pass.record(value, || Rows);
        Jet { value, first, second: x.second }
    }
}

impl LayerCases for Bias {
    fn cases() -> Vec<LayerCase> {
        vec![LayerCase::new("scalar bias", |layout| Self::new(layout, "layer"))]
    }
}

/// The gradient of a sample: Σ δ.
struct Rows;

impl PerSample for Rows {
    fn keep(&self, delta: Tensor<4>) -> Tensor<2> {
        saltflat_kernels::row_sums(delta.flatten(1, 3)).unsqueeze_dim(1)
    }
}
