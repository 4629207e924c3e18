//! Two-dimensional convolution.

mod group_rows;
mod rows;
mod square_rows;

use burn::tensor::{Tensor, module, ops::ConvOptions};
use saltflat_config::Section;
pub use saltflat_kernels::Window;
use saltflat_kernels::{add_scaled, convolution, directions_to_batch};
use serde::Serialize;

use self::{group_rows::GroupRows, square_rows::SquareRows};
use super::{
    keys::outputs,
    per_axis::{per_axis, required_per_axis},
    sliding_window::SlidingWindow,
};
use crate::{
    Init, Jet, Layer, ModelError, Pass,
    init::InitialValues,
    jet::sum,
    layer_config::{LayerCase, LayerConfig, LayerKeys},
    layout::Slot,
    place::{Built, Place},
};

/// y = W ∗ x + b with W `[outputs, inputs / groups, kernel, kernel]`, PyTorch's `nn.Conv2d`: the outputs of a group see its inputs alone.
///
/// A square window without dilation and groups is a convolution of `saltflat-kernels`; all others are burn's.
///
/// Jet: ẏ = W ∗ ẋ + V ∗ x + v_b, ÿ = W ∗ ẍ + 2 V ∗ ẋ. With K directions W ∗ ẋ is one product of K times the batch, V ∗ x one
/// of K times the channels.
#[derive(Clone, Copy, Debug)]
pub struct Conv2d {
    weight: Slot,
    bias: Option<Slot>,
    inputs: usize,
    outputs: usize,
    window: SlidingWindow,
    groups: usize,
}

impl Conv2d {
    /// Adds `NAME.weight` and, if `bias` gives its initial distribution, `NAME.bias`.
    pub fn new(
        place: &mut Place<'_>,
        channels: [usize; 2],
        window: impl Into<SlidingWindow>,
        weight: Init,
        bias: Option<Init>,
    ) -> Self {
        Self::with_groups(place, channels, window, 1, weight, bias)
    }

    /// [`new`](Self::new) with groups, which divide the inputs and the outputs.
    pub fn with_groups(
        place: &mut Place<'_>,
        [inputs, outputs]: [usize; 2],
        window: impl Into<SlidingWindow>,
        groups: usize,
        weight: Init,
        bias: Option<Init>,
    ) -> Self {
        let window = window.into();
        let [height, width] = window.kernel;
        let weight = place.parameter("weight", &[outputs, inputs / groups, height, width], weight);
        let bias = bias.map(|init| place.parameter("bias", &[outputs], init));
        Self { weight, bias, inputs, outputs, window, groups }
    }

    /// The window of `saltflat-kernels`, if it is one.
    fn kernels_window(&self) -> Option<Window> {
        self.window.square().filter(|_| self.groups == 1)
    }

    fn convolution(&self, x: Tensor<4>, weight: Tensor<4>, bias: Option<Tensor<1>>) -> Tensor<4> {
        match self.kernels_window() {
            Some(window) => convolution(x, weight, bias, window),
            None => {
                let SlidingWindow { stride, padding, dilation, .. } = self.window;
                module::conv2d(x, weight, bias, ConvOptions::new(stride, padding, dilation, self.groups))
            }
        }
    }

    /// V ∗ x + v_b for each of K directions, `[K · batch, outputs, h, w]`.
    fn along(&self, x: Tensor<4>, weight: Tensor<4>, bias: Option<Tensor<1>>, directions: usize) -> Tensor<4> {
        if directions == 1 || self.groups == 1 {
            return directions_to_batch(self.convolution(x, weight, bias), directions);
        }
        // The outputs of a group stand side by side: within each group those of one direction after those of the other.
        let (groups, of_group) = (self.groups, self.outputs / self.groups);
        let shape = weight.dims();
        let weight = weight
            .reshape([directions, groups, of_group * shape[1] * shape[2] * shape[3]])
            .swap_dims(0, 1)
            .reshape(shape);
        let bias = bias.map(|b| b.reshape([directions, groups, of_group]).swap_dims(0, 1).flatten(0, 2));
        let y = self.convolution(x, weight, bias);
        let [n, _, h, w] = y.dims();
        let y = y.reshape([n, groups, directions, of_group * h * w]).permute([2, 0, 1, 3]);
        y.reshape([directions * n, self.outputs, h, w])
    }
}

impl Layer for Conv2d {
    fn forward(&self, x: Jet, pass: &mut Pass<'_>) -> Jet {
        let [height, width] = self.window.kernel;
        let shape = [self.outputs, self.inputs / self.groups, height, width];
        let conv = |x: Tensor<4>, w: Tensor<4>, b| self.convolution(x, w, b);
        let weight = pass.tensor::<4>(self.weight, shape);
        let bias = self.bias.map(|slot| pass.tensor::<1>(slot, [self.outputs]));
        let v_weight = pass.velocity::<4>(self.weight, shape);
        let v_bias = self.bias.and_then(|slot| pass.velocity::<1>(slot, [self.outputs]));
        let directions = v_weight.as_ref().map_or(1, |v| v.dims()[0] / self.outputs);

        let value = conv(x.value.clone(), weight.clone(), bias);
        let second = if pass.second_order() {
            let curved = x.second.map(|t| conv(t, weight.clone(), None));
            let crossed = x.first.clone().zip(v_weight.clone()).map(|(t, v)| {
                let of_direction = t.chunk(directions, 0).into_iter().zip(v.chunk(directions, 0));
                Tensor::cat(of_direction.map(|(t, v)| conv(t, v, None)).collect(), 0)
            });
            match (curved, crossed) {
                (Some(curved), Some(crossed)) => Some(add_scaled(curved, 2.0, crossed)),
                (None, crossed) => crossed.map(|t| t.mul_scalar(2.0)),
                (curved, None) => curved,
            }
        } else {
            None
        };
        let of_velocity = v_weight.map(|v| self.along(x.value.clone(), v, v_bias, directions));
        let first = sum(x.first.map(|t| conv(t, weight, None)), of_velocity);
        let (input, outputs, has_bias) = (|| x.value.without_autodiff(), self.outputs, self.bias.is_some());
        let value = match self.kernels_window() {
            Some(window) => pass.record(value, || SquareRows { input: input(), outputs, window, has_bias }),
            None => {
                let (window, groups) = (self.window, self.groups);
                pass.record(value, || GroupRows { input: input(), outputs, window, groups, has_bias })
            }
        };
        Jet { value, first, second }
    }
}

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
