//! Maximum over windows.

use burn::tensor::{Tensor, module, ops::MaxPoolOptions};

use super::{
    case::{LayerCase, LayerCases},
    sliding_window::SlidingWindow,
};
use crate::{Jet, Layer, Pass};

/// Maximum over windows that slide over the image, PyTorch's `nn.MaxPool2d`; what is left of a row or column behind the last window is
/// dropped, and padding is never the maximum. The jet is that of the chosen entry.
///
/// Windows of 2 × 2 with stride 2 have kernels in `saltflat-kernels`; all others are burn's.
#[derive(Clone, Copy, Debug)]
pub struct MaxPool {
    /// The window; its padding is at most half of it.
    pub window: SlidingWindow,
}

impl Default for MaxPool {
    /// 2 × 2 with stride 2.
    fn default() -> Self {
        Self { window: SlidingWindow::TWO }
    }
}

impl Layer for MaxPool {
    fn forward(&self, x: Jet, _: &mut Pass<'_>) -> Jet {
        if self.window == SlidingWindow::TWO {
            let (value, [first, second]) = saltflat_kernels::max_pool(x.value, [x.first, x.second]);
            return Jet { value, first, second };
        }
        let SlidingWindow { kernel, stride, padding, dilation } = self.window;
        let options = MaxPoolOptions::new(kernel).with_stride(stride).with_padding(padding).with_dilation(dilation);
        if x.first.is_none() && x.second.is_none() {
            return Jet::constant(module::max_pool2d(x.value, options));
        }
        let [n, c, height, width] = x.value.dims();
        let (value, chosen) = module::max_pool2d_with_indices(x.value, options);
        let [_, _, h, w] = value.dims();
        let chosen = chosen.reshape([n, c, h * w]);
        let pick = |t: Tensor<4>| {
            let rows = t.dims()[0];
            let chosen = chosen.clone().repeat_dim(0, rows / n.max(1));
            t.reshape([rows, c, height * width]).gather(2, chosen).reshape([rows, c, h, w])
        };
        Jet { value, first: x.first.map(pick), second: x.second.map(pick) }
    }
}

impl LayerCases for MaxPool {
    fn cases() -> Vec<LayerCase> {
        let window = |kernel, stride, padding, dilation| MaxPool { window: SlidingWindow { kernel, stride, padding, dilation } };
        vec![
            LayerCase::new("max pool", |_| Self::default()),
            LayerCase::new("max pool 3×3, stride 2, padding 1", move |_| window([3, 3], [2, 2], [1, 1], [1, 1])),
            LayerCase::new("max pool 2×3 by axis, dilation", move |_| window([2, 3], [1, 2], [1, 0], [3, 2])),
        ]
    }
}
