//! Initialisation schemes.

use saltflat_config::{FromToml, Section, named_enum};
use serde::{Serialize, Serializer, ser::SerializeMap};
use toml::Value;

use crate::{layers::Activation, layout::Init};

named_enum! {
    /// How weights and biases start.
    #[derive(Default)]
    pub enum Initialisation {
        /// What the architecture's reference implementation does; each architecture says which.
        #[default]
        Default = "default",
        /// PyTorch's `reset_parameters`: weights and biases uniform on ±1/√fan_in.
        Pytorch = "pytorch",
        /// He et al. 2015: weights N(0, gain²/fan_in), biases 0 (`kaiming_normal_`).
        KaimingFanIn = "kaiming-fan-in",
        /// Weights N(0, gain²/fan_out), biases 0 (`kaiming_normal_` with `mode="fan_out"`).
        KaimingFanOut = "kaiming-fan-out",
        /// Glorot and Bengio 2010: weights uniform on ±√(6/(fan_in + fan_out)), biases 0 (`xavier_uniform_`).
        Xavier = "xavier",
    }
}

impl Initialisation {
    /// `self`, or `default` if it is [`Default`](Self::Default).
    pub fn or(self, default: Self) -> Self {
        if self == Self::Default { default } else { self }
    }

    /// Initial distributions of the weight and the bias of a layer with these fans, before this activation. The fans of a convolution count its kernel:
    /// fan_in = inputs · k², fan_out = outputs · k².
    pub fn of(self, [fan_in, fan_out]: [usize; 2], activation: Activation) -> (Init, Init) {
        let (fan_in, fan_out) = (fan_in as f64, fan_out as f64);
        let zero = Init::Constant(0.0);
        match self {
            Self::Default | Self::Pytorch => {
                let bound = fan_in.sqrt().recip();
                (Init::Uniform { bound }, Init::Uniform { bound })
            }
            Self::KaimingFanIn => (Init::Normal { std: activation.gain() / fan_in.sqrt() }, zero),
            Self::KaimingFanOut => (Init::Normal { std: activation.gain() / fan_out.sqrt() }, zero),
            Self::Xavier => (Init::Uniform { bound: (6.0 / (fan_in + fan_out)).sqrt() }, zero),
        }
    }
}

/// How a tensor of a layer in a list starts: by a scheme, with the fans of the layer and the gain of relu, or by a distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum InitialValues {
    /// A scheme.
    Scheme(Initialisation),
    /// A distribution.
    Distribution(Init),
}

impl InitialValues {
    /// What a start can be, in words.
    const EXPECTED: &'static str = "a scheme, such as \"pytorch\" or \"kaiming-fan-in\", or one of { normal = STD }, { uniform = BOUND } and { constant = C } with finite numbers, or C alone";

    /// Reads a key that may be absent.
    pub fn read(section: &mut Section, key: &'static str) -> Option<Self> {
        let value = section.value(key)?;
        // In the range of f32, in which weights are kept.
        let finite = |value: &Value| f64::from_toml(value).filter(|x| (*x as f32).is_finite());
        let found = match &value {
            Value::String(name) => Initialisation::from_name(name).map(Self::Scheme),
            Value::Float(_) | Value::Integer(_) => finite(&value).map(|c| Self::Distribution(Init::Constant(c))),
            Value::Table(table) if table.len() == 1 => {
                let number = |name: &str| table.get(name).and_then(finite);
                let not_negative = |name: &str| number(name).filter(|x| *x >= 0.0);
                let normal = not_negative("normal").map(|std| Init::Normal { std });
                let uniform = not_negative("uniform").map(|bound| Init::Uniform { bound });
                normal.or(uniform).or(number("constant").map(Init::Constant)).map(Self::Distribution)
            }
            _ => None,
        };
        if found.is_none() {
            section.problem(key, format!("expected {}, got {value}", Self::EXPECTED));
        }
        found
    }

    /// The distribution of a weight of a layer with these fans.
    pub fn weight(self, fans: [usize; 2]) -> Init {
        match self {
            Self::Scheme(scheme) => scheme.of(fans, Activation::Relu).0,
            Self::Distribution(init) => init,
        }
    }

    /// The distribution of a bias of a layer with these fans.
    pub fn bias(self, fans: [usize; 2]) -> Init {
        match self {
            Self::Scheme(scheme) => scheme.of(fans, Activation::Relu).1,
            Self::Distribution(init) => init,
        }
    }
}

impl Default for InitialValues {
    fn default() -> Self {
        Self::Scheme(Initialisation::Pytorch)
    }
}

/// As configurations have it.
impl Serialize for InitialValues {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (name, number) = match self {
            Self::Scheme(scheme) => return scheme.serialize(serializer),
            Self::Distribution(Init::Normal { std }) => ("normal", std),
            Self::Distribution(Init::Uniform { bound }) => ("uniform", bound),
            Self::Distribution(Init::Constant(constant)) => ("constant", constant),
        };
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(name, number)?;
        map.end()
    }
}
