//! Mean over windows.

use burn::tensor::{module, ops::AvgPoolOptions};
use saltflat_config::Section;
use serde::Serialize;

use super::{
    per_axis::{self, per_axis},
    sliding_window::SlidingWindow,
};
use crate::{
    Jet, Layer, ModelError, Pass,
    layer_config::{LayerCase, LayerConfig, LayerKeys},
    place::{Built, Place},
};

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

/// The keys of average pooling in a list of layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct AvgPoolConfig {
    /// Entries of the window, `[height, width]`.
    #[serde(serialize_with = "per_axis::write")]
    pub kernel: [usize; 2],
    /// Step between two positions, `[height, width]`.
    #[serde(serialize_with = "per_axis::write")]
    pub stride: [usize; 2],
    /// Zeros above and below, and on both sides.
    #[serde(serialize_with = "per_axis::write")]
    pub padding: [usize; 2],
    /// True if the zeros of the padding count as entries.
    pub count_include_pad: bool,
}

impl Default for AvgPoolConfig {
    /// 2 × 2 with stride 2.
    fn default() -> Self {
        let SlidingWindow { kernel, stride, padding, .. } = SlidingWindow::TWO;
        Self { kernel, stride, padding, count_include_pad: true }
    }
}

impl LayerConfig for AvgPoolConfig {
    fn name(&self) -> &'static str {
        "avg-pool"
    }

    fn build(&self, place: &mut Place<'_>) -> Result<Built, ModelError> {
        let Self { kernel, stride, padding, count_include_pad } = *self;
        let window = SlidingWindow { kernel, stride, padding, dilation: [1; 2] };
        let ([c, ..], [h, w]) = (place.input(), window.pooled_at(place)?);
        Ok(Built::new(AvgPool { window, count_include_pad }, [c, h, w]))
    }
}

impl LayerKeys for AvgPoolConfig {
    const NAMES: &'static [&'static str] = &["avg-pool"];
    const EXAMPLE: &'static str = "";

    fn read(_: &str, section: &mut Section) -> Self {
        let kernel = per_axis(section, "kernel", 1).unwrap_or([2; 2]);
        Self {
            kernel,
            stride: per_axis(section, "stride", 1).unwrap_or(kernel),
            padding: per_axis(section, "padding", 0).unwrap_or([0; 2]),
            count_include_pad: section.get("count_include_pad").unwrap_or(true),
        }
    }

    fn cases() -> Vec<LayerCase> {
        vec![
            LayerCase::new("average pool", r#"["avg-pool"]"#),
            LayerCase::new(
                "average pool 3×2 by axis, padding counted",
                r#"[{ kind = "avg-pool", kernel = [3, 2], stride = [2, 1], padding = [1, 0] }]"#,
            ),
            LayerCase::new(
                "average pool 3×3, padding not counted",
                r#"[{ kind = "avg-pool", kernel = 3, stride = 2, padding = 1, count_include_pad = false }]"#,
            ),
        ]
    }
}
