//! Two-dimensional convolution.

mod config;
mod group_rows;
mod rows;
mod square_rows;

use burn::tensor::{Tensor, module, ops::ConvOptions};
pub use saltflat_kernels::Window;
use saltflat_kernels::{add_scaled, convolution, directions_to_batch};

pub use self::config::Conv2dConfig;
use self::group_rows::GroupRows;
pub(super) use self::square_rows::SquareRows;
use super::sliding_window::SlidingWindow;
use crate::{Init, Jet, Layer, Pass, jet::sum, layout::Slot, place::Place};

/// y = W ∗ x + b with W `[outputs, inputs / groups, kernel, kernel]`, PyTorch's `nn.Conv2d`: the outputs of a group see its inputs alone.
///
/// A square window without dilation and groups is a convolution of `saltflat-kernels`; all others are burn's.
///
/// Jet: ẏ = W ∗ ẋ + V ∗ x + v_b, ÿ = W ∗ ẍ + 2 V ∗ ẋ. With K directions W ∗ ẋ is one product of K times the batch, V ∗ x one
/// of K times the channels; with groups it is K products.
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
        // One after the other: the outputs of several directions would be those of other groups.
        let biases = bias.map(|b| b.chunk(directions, 0));
        let of_direction =
            weight.chunk(directions, 0).into_iter().enumerate().map(|(k, weight)| {
                self.convolution(x.clone(), weight, biases.as_ref().map(|biases| biases[k].clone()))
            });
        Tensor::cat(of_direction.collect(), 0)
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
