//! Fully connected layer.

use burn::tensor::{FloatDType, Tensor};
use saltflat_config::Section;
use saltflat_kernels::{Window, convolution, directions_to_batch, has_kernels, linear};
use serde::Serialize;

use super::{conv2d::SquareRows, keys::outputs, linear_rows::VectorRows};
use crate::{
    Init, Jet, Layer, ModelError, Pass,
    init::InitialValues,
    jet::sum,
    layer_config::{LayerCase, LayerConfig, LayerKeys},
    layout::Slot,
    place::{Built, Place},
};

/// y = x Wᵀ + b with W `[outputs, inputs]`, at every position: PyTorch's `nn.Linear` of the channels, `[batch, inputs, h, w]` to
/// `[batch, outputs, h, w]`.
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
    pub fn new(place: &mut Place<'_>, shape: [usize; 2], weight: Init, bias: Option<Init>) -> Self {
        Self::with_roles(place, ["weight", "bias"], shape, weight, bias)
    }

    /// As [`new`](Self::new), with other roles of the tensors.
    pub(super) fn with_roles(
        place: &mut Place<'_>,
        [weight_role, bias_role]: [&str; 2],
        [inputs, outputs]: [usize; 2],
        weight: Init,
        bias: Option<Init>,
    ) -> Self {
        let weight = place.parameter(weight_role, &[outputs, inputs], weight);
        let bias = bias.map(|init| place.parameter(bias_role, &[outputs], init));
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
        let (inputs, outputs) = (self.inputs, self.outputs);
        let [n, _, height, width] = x.value.dims();
        let is_vector = [height, width] == [1, 1];
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
            true => pass.record(value, || VectorRows { input: input.flatten(1, 3), has_bias }),
            false => pass.record(value, || SquareRows { input, outputs, window: Window::one(1), has_bias }),
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
        if let Some(expected) = self.inputs.filter(|expected| *expected != inputs) {
            let all = inputs.saturating_mul(height).saturating_mul(width);
            let hint = if expected == all { " (put \"flatten\" before)" } else { "" };
            return Err(place.error(format!("{expected} inputs{hint}")));
        }
        let (shape, outputs) = ([inputs, self.outputs], self.outputs);
        let weight = self.weight_init.weight(shape);
        let layer = match self.trained {
            true => Linear::new(place, shape, weight, self.bias.then(|| self.bias_init.bias(shape))),
            false => Linear::frozen(place, shape, weight),
        };
        Ok(Built::new(layer, [outputs, height, width]))
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
        let linear =
            |keys: &str| format!("{{ kind = \"linear\", outputs = 5, weight_init = {{ normal = 0.4 }}, {keys} }}");
        let vector = |name, keys| LayerCase::new(name, format!("[\"flatten\", {}]", linear(keys)));
        let positions = |name, keys| LayerCase::new(name, format!("[{}]", linear(keys)));
        vec![
            vector("linear", "bias_init = { normal = 0.4 }"),
            vector("linear without bias", "bias = false"),
            vector("frozen linear", "trained = false"),
            positions("linear at every position", "bias_init = { normal = 0.4 }"),
            positions("frozen linear at every position", "trained = false"),
            // Of fewer positions than channels, so that the inner products are made of the cotangents.
            LayerCase::new(
                "linear at few positions",
                format!("[\"avg-pool\", {{ kind = \"linear\", outputs = 12 }}, {}]", linear("bias = true")),
            ),
            LayerCase::new(
                "linear at few positions, without bias",
                format!("[\"avg-pool\", {{ kind = \"linear\", outputs = 12 }}, {}]", linear("bias = false")),
            ),
        ]
    }
}
