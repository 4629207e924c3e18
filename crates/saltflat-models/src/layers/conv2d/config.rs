//! The keys of a convolution.

use saltflat_config::Section;
use serde::Serialize;

use super::Conv2d;
use crate::{
    Init, ModelError,
    init::InitialValues,
    layer_config::{LayerCase, LayerConfig, LayerKeys},
    layers::{
        SlidingWindow,
        keys::outputs,
        per_axis::{per_axis, required_per_axis},
    },
    place::{Built, Place},
};

/// The keys of a convolution in a list of layers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Conv2dConfig {
    /// Output channels.
    pub outputs: usize,
    /// Input channels, if they are to be checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inputs: Option<usize>,
    /// Kernel, stride, padding with zeros, and dilation.
    #[serde(flatten)]
    pub window: SlidingWindow,
    /// Groups, which divide the inputs and the outputs; as many as inputs make a depthwise convolution.
    pub groups: usize,
    /// True if there is a bias.
    pub bias: bool,
    /// How the weight starts.
    pub weight_init: InitialValues,
    /// How the bias starts.
    pub bias_init: InitialValues,
}

impl Conv2dConfig {
    /// A convolution of one group with this window and these initial distributions; without a bias if there is none for it.
    pub fn new(outputs: usize, window: impl Into<SlidingWindow>, weight: Init, bias: Option<Init>) -> Self {
        let of = InitialValues::Distribution;
        Self {
            outputs,
            inputs: None,
            window: window.into(),
            groups: 1,
            bias: bias.is_some(),
            weight_init: of(weight),
            bias_init: bias.map_or_else(InitialValues::default, of),
        }
    }
}

impl LayerConfig for Conv2dConfig {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn build(&self, place: &mut Place<'_>) -> Result<Built, ModelError> {
        let ([inputs, ..], outputs, groups) = (place.input(), self.outputs, self.groups);
        if let Some(expected) = self.inputs.filter(|expected| *expected != inputs) {
            return Err(place.error(format!("{expected} channels")));
        }
        if groups == 0 || !inputs.is_multiple_of(groups) {
            return Err(place.error(format!("channels divisible by {groups} groups")));
        }
        if !outputs.is_multiple_of(groups) {
            return Err(place.error_of(format!("outputs divisible by {groups} groups"), outputs));
        }
        let [h, w] = self.window.output_at(place)?;
        let area = self.window.area();
        let fans = [inputs / groups, outputs / groups].map(|channels| channels.saturating_mul(area));
        let bias = self.bias.then(|| self.bias_init.bias(fans));
        let channels = [inputs, outputs];
        let layer = Conv2d::with_groups(place, channels, self.window, groups, self.weight_init.weight(fans), bias);
        Ok(Built::new(layer, [outputs, h, w]))
    }
}

impl LayerKeys for Conv2dConfig {
    const NAMES: &'static [&'static str] = &["conv2d"];
    const EXAMPLE: &'static str = "outputs = 3\nkernel = [3, 2]\npadding = 1";

    fn read(_: &str, section: &mut Section) -> Self {
        Self {
            outputs: outputs(section),
            inputs: section.count("inputs"),
            window: SlidingWindow {
                kernel: required_per_axis(section, "kernel"),
                stride: per_axis(section, "stride", 1).unwrap_or([1; 2]),
                padding: per_axis(section, "padding", 0).unwrap_or([0; 2]),
                dilation: per_axis(section, "dilation", 1).unwrap_or([1; 2]),
            },
            groups: section.count("groups").unwrap_or(1),
            bias: section.get("bias").unwrap_or(true),
            weight_init: InitialValues::read(section, "weight_init").unwrap_or_default(),
            bias_init: InitialValues::read(section, "bias_init").unwrap_or_default(),
        }
    }

    fn cases() -> Vec<LayerCase> {
        let conv = |keys: &str| {
            format!("{{ kind = \"conv2d\", weight_init = {{ normal = 0.4 }}, bias_init = {{ normal = 0.4 }}, {keys} }}")
        };
        let case = |name, keys| LayerCase::new(name, format!("[{}]", conv(keys)));
        vec![
            case("conv 3×3", "outputs = 3, kernel = 3, padding = 1, bias = false"),
            case("conv 3×3, stride 2, bias", "outputs = 3, kernel = 3, padding = 1, stride = 2"),
            case("conv 1×1, stride 2", "outputs = 3, kernel = 1, stride = 2"),
            case("conv 5×5, bias", "outputs = 3, kernel = 5, padding = 2"),
            case(
                "conv 3×2, stride, padding and dilation by axis, bias",
                "outputs = 3, kernel = [3, 2], stride = [2, 1], padding = [1, 2], dilation = [1, 3]",
            ),
            case("conv 5×4 of few positions", "outputs = 3, kernel = [5, 4], stride = [2, 1], bias = false"),
            case("conv 3×3, dilation 2, bias", "outputs = 3, kernel = 3, padding = 2, dilation = 2"),
            case("conv of 2 groups, bias", "outputs = 6, kernel = 3, padding = 1, groups = 2"),
            case("conv of 2 groups of few positions", "outputs = 6, kernel = [5, 4], stride = [2, 1], groups = 2"),
            case(
                "depthwise conv, stride 2",
                "outputs = 4, kernel = 3, padding = 1, stride = 2, groups = 4, bias = false",
            ),
            case("depthwise conv of twice the channels, bias", "outputs = 8, kernel = 3, padding = 1, groups = 4"),
            // Of few pixels, so that the inner products are made of positions.
            LayerCase::new(
                "conv of pooled images",
                format!("[\"avg-pool\", \"avg-pool\", {}]", conv("outputs = 3, kernel = 3, padding = 1")),
            ),
        ]
    }
}
