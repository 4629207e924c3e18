//! Fully connected layer.

use burn::tensor::{FloatDType, Tensor};
use saltflat_kernels::{directions_to_batch, gram, linear};

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
        let [n, channels, height, width] = x.value.dims();
        let (inputs, outputs) = (self.inputs, self.outputs);
        let [height, width] = if channels == inputs { [height, width] } else { [1, 1] };
        let positions = height * width;
        // Each position of a sample is a row: n is their number.
        let n = n * positions;
        let x = x.linear(|t| match positions {
            1 => {
                let rows = t.dims()[0];
                t.reshape([rows, inputs])
            }
            _ => {
                let samples = t.dims()[0];
                t.reshape([samples, inputs, positions]).swap_dims(1, 2).reshape([samples * positions, inputs])
            }
        });
        let shape = [outputs, inputs];
        // A frozen weight is stored in full precision, whatever that of the pass is.
        let weight = pass.tensor::<2>(self.weight, shape).cast(FloatDType::from(x.value.dtype()));
        let bias = self.bias.map(|slot| pass.tensor::<1>(slot, [outputs]));
        let v_weight = pass.velocity::<2>(self.weight, shape);
        let directions = v_weight.as_ref().map_or(1, |v| v.dims()[0] / outputs);
        let v_bias = self.bias.and_then(|slot| pass.velocity::<1>(slot, [outputs]));

        let value = linear(x.value.clone(), weight.clone(), bias);
        let second = if pass.second_order() {
            sum(
                x.second.map(|t| linear(t, weight.clone(), None)),
                x.first.clone().zip(v_weight.clone()).map(|(t, v)| {
                    let (t, v) = (t.reshape([directions, n, inputs]), v.reshape([directions, outputs, inputs]));
                    t.matmul(v.transpose()).mul_scalar(2.0).reshape([directions * n, outputs])
                }),
            )
        } else {
            None
        };
        let of_velocity = v_weight.map(|v| {
            let product = linear(x.value.clone(), v, v_bias);
            match directions {
                1 => product,
                k => directions_to_batch(product.reshape([n, k * outputs, 1, 1]), k).reshape([k * n, outputs]),
            }
        });
        let first = sum(x.first.map(|t| linear(t, weight, None)), of_velocity);
        let y = Jet { value, first, second }.linear(|t| {
            let samples = t.dims()[0] / positions;
            match positions {
                1 => t.reshape([samples, outputs, 1, 1]),
                _ => {
                    t.reshape([samples, positions, outputs]).swap_dims(1, 2).reshape([samples, outputs, height, width])
                }
            }
        });
        if !self.is_trained() {
            return y;
        }
        let has_bias = self.bias.is_some();
        let input = x.value.without_autodiff();
        let value = match positions {
            1 => pass.record(y.value, || Rows { input, has_bias }),
            _ => pass.record(y.value, || PositionRows::new(input, [positions, outputs], has_bias)),
        };
        Jet { value, ..y }
    }
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
