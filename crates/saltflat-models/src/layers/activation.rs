//! Elementwise activations.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

use burn::tensor::{Tensor, activation};
use saltflat_config::{Section, named_enum};
use serde::Serialize;

use super::{
    elementwise::{self, Elementwise},
    gelu_tanh::GeluTanh,
    hard_sigmoid::HardSigmoid,
    hard_swish::HardSwish,
    relu6::Relu6,
    sigmoid::Sigmoid,
};
use crate::{
    Jet, Layer, ModelError, Pass,
    layer_config::{LayerCase, LayerConfig, LayerKeys},
    list::Item,
    place::{Built, Place},
};

named_enum! {
    /// An elementwise function f; in a list of layers its name is the kind. Jet: ẏ = f′(x) ẋ, ÿ = f′(x) ẍ + f″(x) ẋ².
    #[derive(Default)]
    pub enum Activation {
        /// max(x, 0), with derivative 0 at 0.
        #[default]
        Relu = "relu",
        /// x Φ(x), exact (by erf): the derivative of the tanh form differs by up to 1e−3.
        Gelu = "gelu",
        /// x σ(x).
        Silu = "silu",
        /// log(1 + eˣ).
        Softplus = "softplus",
        /// tanh x.
        Tanh = "tanh",
        /// x.
        Identity = "identity",
        /// σ(x) = 1 / (1 + e⁻ˣ).
        Sigmoid = "sigmoid",
        /// min(max(x, 0), 6), with derivative 0 at 0 and 6.
        Relu6 = "relu6",
        /// x (x + 3)/6 between −3 and 3, 0 below and x above.
        HardSwish = "hard-swish",
        /// (x + 3)/6 between −3 and 3, 0 below and 1 above.
        HardSigmoid = "hard-sigmoid",
    }
}

impl Activation {
    /// Gain of Kaiming initialisation: √2 for relu, 5/3 for tanh, 1 for identity and sigmoid, as `torch.nn.init.calculate_gain` has
    /// them; √2 also for gelu, silu, softplus, relu6 and hard-swish, which are shaped like relu and have no gain there, and 1 for
    /// hard-sigmoid.
    pub fn gain(self) -> f64 {
        match self {
            Self::Relu | Self::Gelu | Self::Silu | Self::Softplus | Self::Relu6 | Self::HardSwish => {
                std::f64::consts::SQRT_2
            }
            Self::Tanh => 5.0 / 3.0,
            Self::Identity | Self::Sigmoid | Self::HardSigmoid => 1.0,
        }
    }

    fn value(self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Relu => saltflat_kernels::relu(x),
            Self::Gelu => x.clone() * normal_cdf(x),
            Self::Silu => x.clone() * activation::sigmoid(x),
            Self::Softplus => activation::log_sigmoid(x.neg()).neg(),
            Self::Tanh => x.tanh(),
            Self::Identity => x,
            Self::Sigmoid => Sigmoid.value(x),
            Self::Relu6 => Relu6.value(x),
            Self::HardSwish => HardSwish.value(x),
            Self::HardSigmoid => HardSigmoid.value(x),
        }
    }

    /// f′ and, if asked for and not 0 everywhere, f″.
    fn derivatives(self, x: Tensor<4>, second_order: bool) -> (Tensor<4>, Option<Tensor<4>>) {
        match self {
            // Their jets are made without derivatives.
            Self::Relu | Self::Identity => unreachable!("piecewise linear"),
            Self::Sigmoid => Sigmoid.derivatives(x, second_order),
            Self::Relu6 => Relu6.derivatives(x, second_order),
            Self::HardSwish => HardSwish.derivatives(x, second_order),
            Self::HardSigmoid => HardSigmoid.derivatives(x, second_order),
            Self::Gelu => {
                let density = x.clone().square().mul_scalar(-0.5).exp().mul_scalar(1.0 / (2.0 * PI).sqrt());
                let second = second_order.then(|| density.clone() * x.clone().square().neg().add_scalar(2.0));
                (normal_cdf(x.clone()) + x * density, second)
            }
            Self::Silu => {
                let s = activation::sigmoid(x.clone());
                let ds = s.clone() * complement(s.clone());
                let second = second_order
                    .then(|| ds.clone() * (x.clone() * s.clone().mul_scalar(-2.0).add_scalar(1.0)).add_scalar(2.0));
                (s + x * ds, second)
            }
            Self::Softplus => {
                let s = activation::sigmoid(x);
                let second = second_order.then(|| s.clone() * complement(s.clone()));
                (s, second)
            }
            Self::Tanh => {
                let y = x.tanh();
                let first = complement(y.clone().square());
                let second = second_order.then(|| y.mul_scalar(-2.0) * first.clone());
                (first, second)
            }
        }
    }
}

/// Φ, the standard normal distribution function.
fn normal_cdf(x: Tensor<4>) -> Tensor<4> {
    x.mul_scalar(FRAC_1_SQRT_2).erf().add_scalar(1.0).mul_scalar(0.5)
}

/// 1 − x.
fn complement(x: Tensor<4>) -> Tensor<4> {
    x.neg().add_scalar(1.0)
}

impl Layer for Activation {
    fn forward(&self, x: Jet, pass: &mut Pass<'_>) -> Jet {
        match (self, &x.first) {
            (Self::Identity, _) => x,
            (_, None) if x.second.is_none() => Jet::constant(self.value(x.value)),
            (Self::Relu, _) => {
                let value = saltflat_kernels::relu(x.value);
                let passed = |t: Tensor<4>| saltflat_kernels::relu_backward(value.clone(), t);
                let (first, second) = (x.first.map(passed), x.second.map(passed));
                Jet { value, first, second }
            }
            _ => {
                let derivatives = self.derivatives(x.value.clone(), pass.second_order());
                elementwise::jet(x, |x| self.value(x), derivatives)
            }
        }
    }
}

named_enum! {
    /// How gelu is computed.
    #[derive(Default)]
    pub enum Approximate {
        /// By erf.
        #[default]
        None = "none",
        /// By tanh, as the first transformers had it.
        Tanh = "tanh",
    }
}

/// The keys of an activation in a list of layers: its kind alone, and of gelu how it is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ActivationConfig {
    /// The function.
    #[serde(skip)]
    pub function: Activation,
    /// Of gelu.
    #[serde(skip_serializing_if = "Approximate::is_none")]
    pub approximate: Approximate,
}

impl Approximate {
    #[allow(clippy::trivially_copy_pass_by_ref)] // As serde asks for it.
    fn is_none(&self) -> bool {
        *self == Self::None
    }
}

impl LayerConfig for ActivationConfig {
    fn name(&self) -> &'static str {
        self.function.name()
    }

    fn build(&self, place: &mut Place<'_>) -> Result<Built, ModelError> {
        Ok(match self.approximate {
            Approximate::None => Built::new(self.function, place.input()),
            Approximate::Tanh => Built::new(GeluTanh, place.input()),
        })
    }
}

impl LayerKeys for ActivationConfig {
    const NAMES: &'static [&'static str] = &Activation::NAMES;
    const EXAMPLE: &'static str = "";

    fn read(kind: &str, section: &mut Section) -> Self {
        let function = Activation::from_name(kind).unwrap_or_default();
        let approximate = match function {
            Activation::Gelu => section.choice("approximate", &Approximate::ALL).unwrap_or_default(),
            _ => Approximate::None,
        };
        Self { function, approximate }
    }

    fn cases() -> Vec<LayerCase> {
        let plain = Activation::NAMES.iter().map(|name| LayerCase::new(*name, format!("[\"{name}\"]")));
        let by_tanh = LayerCase::new("gelu by tanh", r#"[{ kind = "gelu", approximate = "tanh" }]"#);
        plain.chain([by_tanh]).collect()
    }
}

impl From<Activation> for Item {
    fn from(function: Activation) -> Self {
        ActivationConfig { function, approximate: Approximate::None }.into()
    }
}
