//! Maximum over windows.

use burn::tensor::{Tensor, module, ops::MaxPoolOptions};
use saltflat_config::Section;
use serde::Serialize;

use super::{per_axis::per_axis, sliding_window::SlidingWindow};
use crate::{
    Jet, Layer, ModelError, Pass,
    layer_config::{LayerCase, LayerConfig, LayerKeys},
    place::{Built, Place},
};

/// Maximum over windows that slide over the image, PyTorch's `nn.MaxPool2d`; what is left of a row or column behind the last window is
/// dropped, and padding is never the maximum. The jet is that of the chosen entry.
///
/// Windows of 2 × 2 with stride 2 have kernels in `saltflat-kernels`; all others are burn's.
#[derive(Clone, Copy, Debug)]
pub struct MaxPool {
    /// The window; its padding is at most half of it.
    pub window: SlidingWindow,
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

/// The keys of max pooling in a list of layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct MaxPoolConfig {
    /// Kernel, stride, padding and dilation.
    #[serde(flatten)]
    pub window: SlidingWindow,
}

impl Default for MaxPoolConfig {
    /// 2 × 2 with stride 2.
    fn default() -> Self {
        Self { window: SlidingWindow::TWO }
    }
}

impl LayerConfig for MaxPoolConfig {
    fn name(&self) -> &'static str {
        "max-pool"
    }

    fn build(&self, place: &mut Place<'_>) -> Result<Built, ModelError> {
        let ([c, ..], [h, w]) = (place.input(), self.window.pooled_at(place)?);
        Ok(Built::new(MaxPool { window: self.window }, [c, h, w]))
    }
}

impl LayerKeys for MaxPoolConfig {
    const NAMES: &'static [&'static str] = &["max-pool"];
    const EXAMPLE: &'static str = "";

    fn read(_: &str, section: &mut Section) -> Self {
        let kernel = per_axis(section, "kernel", 1).unwrap_or([2; 2]);
        Self {
            window: SlidingWindow {
                kernel,
                stride: per_axis(section, "stride", 1).unwrap_or(kernel),
                padding: per_axis(section, "padding", 0).unwrap_or([0; 2]),
                dilation: per_axis(section, "dilation", 1).unwrap_or([1; 2]),
            },
        }
    }

    fn cases() -> Vec<LayerCase> {
        vec![
            LayerCase::new("max pool", r#"["max-pool"]"#),
            LayerCase::new(
                "max pool 3×3, stride 2, padding 1",
                r#"[{ kind = "max-pool", kernel = 3, stride = 2, padding = 1 }]"#,
            ),
            LayerCase::new(
                "max pool 2×3 by axis, dilation",
                r#"[{ kind = "max-pool", kernel = [2, 3], stride = [1, 2], padding = [1, 0], dilation = [3, 2] }]"#,
            ),
        ]
    }
}
