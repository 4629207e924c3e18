//! A trainable offset.

use burn::tensor::Tensor;

use super::case::{CASE_INIT, CASE_INPUT, LayerCase, LayerCases};
use crate::{Init, Jet, Layer, Layout, Pass, PerSample, jet::for_each_sample, layout::Slot};

/// y = x + b with one trainable number b, 0 at first, as in Fixup networks (Zhang, Dauphin, Ma 2019, arXiv 1901.09321), or with one a channel.
#[derive(Debug)]
pub struct Bias {
    bias: Slot,
    /// The number of offsets: 1, or that of the channels.
    count: usize,
}

impl Bias {
    /// Adds the tensor NAME `[1]` to the layout.
    pub fn new(layout: &mut Layout, name: &str) -> Self {
        Self::with(layout, name, 1, Init::Constant(0.0))
    }

    /// Adds the tensor NAME `[count]` to the layout: one offset for everything, or as many as there are channels.
    pub fn with(layout: &mut Layout, name: &str, count: usize, init: Init) -> Self {
        Self { bias: layout.parameter(name, &[count], init), count }
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

impl LayerCases for Bias {
    fn cases() -> Vec<LayerCase> {
        vec![
            LayerCase::new("scalar bias", |layout| Self::new(layout, "layer")),
            LayerCase::new("bias per channel", |layout| Self::with(layout, "layer", CASE_INPUT[0], CASE_INIT)),
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
