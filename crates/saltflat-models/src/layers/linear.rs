//! Fully connected layer.

use burn::tensor::{FloatDType, Tensor};
use saltflat_kernels::{Window, convolution, directions_to_batch, gram, has_kernels, linear};

use super::{
    case::{CASE_INIT, CASE_INPUT, LayerCase, LayerCases},
    linear_rows::PositionRows,
    pool::AvgPool,
};
use crate::{Init, Jet, Layer, Layout, Pass, PerSample, jet::sum, layout::Slot, tape::times_tiled};

/// y = x Wᵀ + b with W `[outputs, inputs]`, PyTorch's `nn.Linear`. An input of as many channels as `inputs` is mapped at every position,
/// `[batch, inputs, h, w]` to `[batch, outputs, h, w]`; any other is flattened, `[batch, c, h, w]` with c·h·w = inputs to
/// `[batch, outputs, 1, 1]`.
///
/// Jet: ẏ = ẋ Wᵀ + x Vᵀ + v_b, ÿ = ẍ Wᵀ + 2 ẋ Vᵀ.
#[derive(Debug)]
pub struct Linear {
    weight: Slot,
    bias: Option<Slot>,
    inputs: usize,
    outputs: usize,
}

impl Linear {
    /// Adds `NAME.weight` and, if `bias` gives its initial distribution, `NAME.bias` to the layout.
    pub fn new(
        layout: &mut Layout,
        name: &str,
        [inputs, outputs]: [usize; 2],
        weight: Init,
        bias: Option<Init>,
    ) -> Self {
        let weight = layout.parameter(format!("{name}.weight"), &[outputs, inputs], weight);
        let bias = bias.map(|init| layout.parameter(format!("{name}.bias"), &[outputs], init));
        Self { weight, bias, inputs, outputs }
    }

    /// A layer that is not trained: `NAME.weight` is a buffer, and there is no bias.
    pub fn frozen(layout: &mut Layout, name: &str, [inputs, outputs]: [usize; 2], weight: Init) -> Self {
        let weight = layout.buffer(format!("{name}.weight"), &[outputs, inputs], weight);
        Self { weight, bias: None, inputs, outputs }
    }

    fn is_trained(&self) -> bool {
        matches!(self.weight, Slot::Parameter(_))
    }
}

impl Layer for Linear {
    fn forward(&self, x: Jet, pass: &mut Pass<'_>) -> Jet {
        let (inputs, outputs) = (self.inputs, self.outputs);
        let [n, channels, height, width] = x.value.dims();
        let x = match channels == inputs {
            true => x,
            false => x.linear(|t| {
                let rows = t.dims()[0];
                t.reshape([rows, inputs, 1, 1])
            }),
        };
        let is_vector = channels != inputs || [height, width] == [1, 1];
        let map = if is_vector { of_vectors } else { at_positions };

        let shape = [outputs, inputs];
        // A frozen weight is stored in full precision, whatever that of the pass is.
        let weight = pass.tensor::<2>(self.weight, shape).cast(FloatDType::from(x.value.dtype()));
        let bias = self.bias.map(|slot| pass.tensor::<1>(slot, [outputs]));
        let v_weight = pass.velocity::<2>(self.weight, shape);
        let directions = v_weight.as_ref().map_or(1, |v| v.dims()[0] / outputs);
        let v_bias = self.bias.and_then(|slot| pass.velocity::<1>(slot, [outputs]));

        let value = map(x.value.clone(), weight.clone(), bias);
        let second = if pass.second_order() {
            let crossed = |(t, v): (Tensor<4>, Tensor<2>)| match is_vector {
                true => {
                    let (t, v) = (t.reshape([directions, n, inputs]), v.reshape([directions, outputs, inputs]));
                    t.matmul(v.transpose()).mul_scalar(2.0).reshape([directions * n, outputs, 1, 1])
                }
                false => {
                    let of_direction = t.chunk(directions, 0).into_iter().zip(v.chunk(directions, 0));
                    Tensor::cat(of_direction.map(|(t, v)| map(t, v, None)).collect(), 0).mul_scalar(2.0)
                }
            };
            sum(x.second.map(|t| map(t, weight.clone(), None)), x.first.clone().zip(v_weight.clone()).map(crossed))
        } else {
            None
        };
        let of_velocity = v_weight.map(|v| directions_to_batch(map(x.value.clone(), v, v_bias), directions));
        let first = sum(x.first.map(|t| map(t, weight, None)), of_velocity);
        if !self.is_trained() {
            return Jet { value, first, second };
        }
        let has_bias = self.bias.is_some();
        let input = x.value.without_autodiff();
        let value = match is_vector {
            true => pass.record(value, || Rows { input: input.flatten(1, 3), has_bias }),
            false => pass.record(value, || PositionRows { input, outputs, has_bias }),
        };
        Jet { value, first, second }
    }
}

/// x Wᵀ + b of inputs of one position, `[rows, outputs, 1, 1]`.
fn of_vectors(x: Tensor<4>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<4> {
    let (rows, outputs) = (x.dims()[0], weight.dims()[0]);
    linear(x.flatten(1, 3), weight, bias).reshape([rows, outputs, 1, 1])
}

/// The same at every position, `[rows, outputs, h, w]`.
fn at_positions(x: Tensor<4>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<4> {
    let ([rows, inputs, h, w], outputs) = (x.dims(), weight.dims()[0]);
    let y = match has_kernels(&x) {
        // One line of pixels, which fills their vectors best.
        true => convolution(
            x.reshape([rows, inputs, 1, h * w]),
            weight.reshape([outputs, inputs, 1, 1]),
            bias,
            Window::one(1),
        ),
        false => {
            let positions = x.reshape([rows, inputs, h * w]).swap_dims(1, 2).reshape([rows * h * w, inputs]);
            linear(positions, weight, bias).reshape([rows, h * w, outputs]).swap_dims(1, 2).reshape([
                rows,
                outputs,
                1,
                h * w,
            ])
        }
    };
    y.reshape([rows, outputs, h, w])
}

impl LayerCases for Linear {
    fn cases() -> Vec<LayerCase> {
        let shape = [CASE_INPUT.iter().product(), 5];
        vec![
            LayerCase::new("linear", move |layout| Self::new(layout, "layer", shape, CASE_INIT, Some(CASE_INIT))),
            LayerCase::new("linear without bias", move |layout| Self::new(layout, "layer", shape, CASE_INIT, None)),
            LayerCase::new("linear at every position", move |layout| {
                Self::new(layout, "layer", [CASE_INPUT[0], 3], CASE_INIT, Some(CASE_INIT))
            }),
            LayerCase {
                name: "linear at few positions, without bias",
                stages: Box::new(|layout| {
                    let few = Self::new(layout, "layer", [CASE_INPUT[0], 3], CASE_INIT, None);
                    vec![AvgPool.into(), AvgPool.into(), few.into()]
                }),
            },
            LayerCase::new("frozen linear at every position", move |layout| {
                Self::frozen(layout, "layer", [CASE_INPUT[0], 3], CASE_INIT)
            }),
            LayerCase::new("frozen linear", move |layout| Self::frozen(layout, "layer", shape, CASE_INIT)),
        ]
    }
}

/// Inner product of the gradients of samples i and j: (xᵢ·xⱼ + 1)(δᵢ·δⱼ), without the 1 if there is no bias.
struct Rows {
    input: Tensor<2>,
    has_bias: bool,
}

impl PerSample for Rows {
    fn keep(&self, delta: Tensor<4>) -> Tensor<2> {
        delta.flatten(1, 3)
    }

    fn input(&self) -> Option<Tensor<4>> {
        let [n, inputs] = self.input.dims();
        Some(self.input.clone().reshape([n, inputs, 1, 1]))
    }

    fn gram(&self, delta: Tensor<2>, input: Option<Tensor<4>>) -> Tensor<2> {
        let input = input.map_or_else(|| self.input.clone(), |input| input.flatten(1, 3));
        let inputs = gram(input);
        let inputs = if self.has_bias { inputs.add_scalar(1.0) } else { inputs };
        times_tiled(gram(delta), inputs)
    }
}
