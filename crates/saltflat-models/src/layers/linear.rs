//! Fully connected layer.

use burn::tensor::{FloatDType, Tensor};
use saltflat_config::Section;
use saltflat_kernels::{directions_to_batch, gram, linear};
use serde::Serialize;

use super::keys::outputs;
use crate::{
    Init, Jet, Layer, ModelError, Pass, PerSample,
    init::InitialValues,
    jet::sum,
    layer_config::{LayerCase, LayerConfig, LayerKeys},
    layout::Slot,
    place::{Built, Place},
    tape::times_tiled,
};

/// y = x Wᵀ + b with W `[outputs, inputs]`, PyTorch's `nn.Linear`. The input is flattened: `[batch, c, h, w]` with
/// c·h·w = inputs; the output is `[batch, outputs, 1, 1]`.
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
    /// Adds `NAME.weight` and, if `bias` gives its initial distribution, `NAME.bias`.
    pub fn new(place: &mut Place<'_>, [inputs, outputs]: [usize; 2], weight: Init, bias: Option<Init>) -> Self {
        let weight = place.parameter("weight", &[outputs, inputs], weight);
        let bias = bias.map(|init| place.parameter("bias", &[outputs], init));
        Self { weight, bias, inputs, outputs }
    }

    /// A layer that is not trained: `NAME.weight` is a buffer, and there is no bias.
    pub fn frozen(place: &mut Place<'_>, [inputs, outputs]: [usize; 2], weight: Init) -> Self {
        let weight = place.buffer("weight", &[outputs, inputs], weight);
        Self { weight, bias: None, inputs, outputs }
    }

    fn is_trained(&self) -> bool {
        matches!(self.weight, Slot::Parameter(_))
    }
}

impl Layer for Linear {
    fn forward(&self, x: Jet, pass: &mut Pass<'_>) -> Jet {
        let [n, ..] = x.value.dims();
        let (inputs, outputs) = (self.inputs, self.outputs);
        let x = x.linear(|t| {
            let rows = t.dims()[0];
            t.reshape([rows, inputs])
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
            let rows = t.dims()[0];
            t.reshape([rows, outputs, 1, 1])
        });
        if !self.is_trained() {
            return y;
        }
        let has_bias = self.bias.is_some();
        let value = pass.record(y.value, || Rows { input: x.value.without_autodiff(), has_bias });
        Jet { value, ..y }
    }
}

/// The keys of a fully connected layer in a list of layers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LinearConfig {
    /// Outputs.
    pub outputs: usize,
    /// Inputs, if they are to be checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inputs: Option<usize>,
    /// True if there is a bias.
    pub bias: bool,
    /// False if the weight is a buffer, which is not trained; there is no bias then.
    pub trained: bool,
    /// How the weight starts.
    pub weight_init: InitialValues,
    /// How the bias starts.
    pub bias_init: InitialValues,
}

impl LinearConfig {
    /// A layer with these initial distributions; without a bias if there is none for it.
    pub fn new(outputs: usize, weight: Init, bias: Option<Init>) -> Self {
        let of = InitialValues::Distribution;
        let bias_init = bias.map_or_else(InitialValues::default, of);
        Self { outputs, inputs: None, bias: bias.is_some(), trained: true, weight_init: of(weight), bias_init }
    }

    /// A layer that is not trained.
    pub fn frozen(outputs: usize, weight: Init) -> Self {
        Self { trained: false, ..Self::new(outputs, weight, None) }
    }
}

impl LayerConfig for LinearConfig {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn build(&self, place: &mut Place<'_>) -> Result<Built, ModelError> {
        let [inputs, height, width] = place.input();
        if height * width != 1 {
            return Err(place.error("a vector (put \"flatten\" before)"));
        }
        if let Some(expected) = self.inputs.filter(|expected| *expected != inputs) {
            return Err(place.error(format!("{expected} inputs")));
        }
        let (shape, outputs) = ([inputs, self.outputs], self.outputs);
        let weight = self.weight_init.weight(shape);
        let layer = match self.trained {
            true => Linear::new(place, shape, weight, self.bias.then(|| self.bias_init.bias(shape))),
            false => Linear::frozen(place, shape, weight),
        };
        Ok(Built::new(layer, [outputs, 1, 1]))
    }
}

impl LayerKeys for LinearConfig {
    const NAMES: &'static [&'static str] = &["linear"];
    const EXAMPLE: &'static str = "outputs = 3";

    fn read(_: &str, section: &mut Section) -> Self {
        let outputs = outputs(section);
        let (inputs, trained) = (section.count("inputs"), section.get("trained").unwrap_or(true));
        let bias = section.get("bias");
        if bias == Some(true) && !trained {
            section.problem("bias", "expected false for a layer that is not trained, got true");
        }
        Self {
            outputs,
            inputs,
            bias: bias.unwrap_or(trained),
            trained,
            weight_init: InitialValues::read(section, "weight_init").unwrap_or_default(),
            bias_init: InitialValues::read(section, "bias_init").unwrap_or_default(),
        }
    }

    fn cases() -> Vec<LayerCase> {
        let case = |name, keys| {
            let layers = format!(
                "[\"flatten\", {{ kind = \"linear\", outputs = 5, weight_init = {{ normal = 0.4 }}, {keys} }}]"
            );
            LayerCase::new(name, layers)
        };
        vec![
            case("linear", "bias_init = { normal = 0.4 }"),
            case("linear without bias", "bias = false"),
            case("frozen linear", "trained = false"),
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
