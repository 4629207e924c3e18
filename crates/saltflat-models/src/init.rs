//! Initialisation schemes.

use saltflat_config::named_enum;

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
