//! Two-dimensional convolution.

mod group_rows;
mod rows;
mod square_rows;

use burn::tensor::{Tensor, module, ops::ConvOptions};
pub use saltflat_kernels::Window;
use saltflat_kernels::{add_scaled, convolution, directions_to_batch};

use self::{group_rows::GroupRows, square_rows::SquareRows};
use super::{
    case::{CASE_INIT, CASE_INPUT, LayerCase, LayerCases},
    avg_pool::AvgPool,
    sliding_window::SlidingWindow,
};
use crate::{Init, Jet, Layer, Layout, Pass, jet::sum, layout::Slot};

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
    /// Adds `NAME.weight` and, if `bias` gives its initial distribution, `NAME.bias` to the layout.
    pub fn new(
        layout: &mut Layout,
        name: &str,
        channels: [usize; 2],
        window: impl Into<SlidingWindow>,
        weight: Init,
        bias: Option<Init>,
    ) -> Self {
        Self::with_groups(layout, name, channels, window, 1, weight, bias)
    }

    /// [`new`](Self::new) with groups, which divide the inputs and the outputs.
    pub fn with_groups(
        layout: &mut Layout,
        name: &str,
        [inputs, outputs]: [usize; 2],
        window: impl Into<SlidingWindow>,
        groups: usize,
        weight: Init,
        bias: Option<Init>,
    ) -> Self {
        let window = window.into();
        let [height, width] = window.kernel;
        let weight = layout.parameter(format!("{name}.weight"), &[outputs, inputs / groups, height, width], weight);
        let bias = bias.map(|init| layout.parameter(format!("{name}.bias"), &[outputs], init));
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
        let weight = weight.reshape([directions, groups, of_group * shape[1] * shape[2] * shape[3]]).swap_dims(0, 1).reshape(shape);
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

impl LayerCases for Conv2d {
    fn cases() -> Vec<LayerCase> {
        let with = |window: Window, bias: Option<Init>| {
            move |layout: &mut Layout| Self::new(layout, "layer", [CASE_INPUT[0], 3], window, CASE_INIT, bias)
        };
        let grouped = |outputs: usize, window: SlidingWindow, groups: usize, bias: Option<Init>| {
            move |layout: &mut Layout| {
                Self::with_groups(layout, "layer", [CASE_INPUT[0], outputs], window, groups, CASE_INIT, bias)
            }
        };
        let window = |kernel, stride, padding, dilation| SlidingWindow { kernel, stride, padding, dilation };
        let three = window([3, 3], [1, 1], [1, 1], [1, 1]);
        let bias = Some(CASE_INIT);
        let small = with(Window::three(1), bias);
        vec![
            LayerCase::new("conv 3×3", with(Window::three(1), None)),
            LayerCase::new("conv 3×3, stride 2, bias", with(Window::three(2), bias)),
            LayerCase::new("conv 1×1, stride 2", with(Window::one(2), bias)),
            LayerCase::new("conv 5×5, bias", with(Window { kernel: 5, stride: 1, padding: 2 }, bias)),
            LayerCase::new(
                "conv 3×2, stride, padding and dilation by axis, bias",
                grouped(3, window([3, 2], [2, 1], [1, 2], [1, 3]), 1, bias),
            ),
            LayerCase::new("conv 5×4 of few positions", grouped(3, window([5, 4], [2, 1], [0, 0], [1, 1]), 1, None)),
            LayerCase::new("conv 3×3, dilation 2", grouped(3, window([3, 3], [1, 1], [2, 2], [2, 2]), 1, bias)),
            LayerCase::new("conv of 2 groups, bias", grouped(6, three, 2, bias)),
            LayerCase::new("conv of 2 groups of few positions", grouped(6, window([5, 4], [2, 1], [0, 0], [1, 1]), 2, bias)),
            LayerCase::new("depthwise conv, stride 2", grouped(4, window([3, 3], [2, 2], [1, 1], [1, 1]), 4, None)),
            LayerCase::new("depthwise conv of twice the channels, bias", grouped(8, three, 4, bias)),
            // Of few pixels, so that the inner products are made of positions.
            LayerCase {
                name: "conv of pooled images",
                stages: Box::new(move |layout| vec![AvgPool::default().into(), AvgPool::default().into(), small(layout).into()]),
            },
        ]
    }
}

