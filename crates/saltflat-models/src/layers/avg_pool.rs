//! Mean over windows.

use burn::tensor::{module, ops::AvgPoolOptions};

use super::{
    case::{LayerCase, LayerCases},
    sliding_window::SlidingWindow,
};
use crate::{Jet, Layer, Pass};

/// Mean over windows that slide over the image, PyTorch's `nn.AvgPool2d`; what is left of a row or column behind the last window is
/// dropped.
///
/// Windows of 2 × 2 with stride 2 have kernels in `saltflat-kernels`; all others are burn's.
#[derive(Clone, Copy, Debug)]
pub struct AvgPool {
    /// The window, without dilation; its padding is at most half of it.
    pub window: SlidingWindow,
    /// True if the zeros of the padding count as entries; otherwise the mean is over the pixels under the window.
    pub count_include_pad: bool,
}

impl Default for AvgPool {
    /// 2 × 2 with stride 2.
    fn default() -> Self {
        Self { window: SlidingWindow::TWO, count_include_pad: true }
    }
}

impl Layer for AvgPool {
    fn forward(&self, x: Jet, _: &mut Pass<'_>) -> Jet {
        let SlidingWindow { kernel, stride, padding, .. } = self.window;
        let options = || {
            let options = AvgPoolOptions::new(kernel).with_stride(stride).with_padding(padding);
            options.with_count_include_pad(self.count_include_pad)
        };
        match self.window == SlidingWindow::TWO {
            true => x.linear(saltflat_kernels::mean_pool),
            false => x.linear(|t| module::avg_pool2d(t, options())),
        }
    }
}

impl LayerCases for AvgPool {
    fn cases() -> Vec<LayerCase> {
        let window = |kernel, stride, padding, count_include_pad| {
            let window = SlidingWindow { kernel, stride, padding, dilation: [1; 2] };
            move |_: &mut _| Self { window, count_include_pad }
        };
        vec![
            LayerCase::new("average pool", |_| Self::default()),
            LayerCase::new("average pool 3×2 by axis, padding counted", window([3, 2], [2, 1], [1, 0], true)),
            LayerCase::new("average pool 3×3, padding not counted", window([3, 3], [2, 2], [1, 1], false)),
        ]
    }
}
