//! Layers, each with its three rules ([`Layer`] says what they are).
//!
//! A layer's value and jet are one piece of code, [`Layer::forward`]. The first coefficient of the loss's jet is ∇L·v, and its
//! backward pass is the exact Hessian-vector product Hv; the second is vᵀHv, with no backward pass.

mod activation;
mod adaptive_avg_pool;
mod avg_pool;
mod batch_norm;
mod bias;
mod case;
mod conv2d;
mod elementwise;
mod elu;
mod fixup_shortcut;
mod flatten;
mod gelu_tanh;
mod group_norm;
mod hard_sigmoid;
mod hard_swish;
mod leaky_relu;
mod linear;
mod max_pool;
mod normalise;
mod relu6;
mod scale;
mod sigmoid;
mod sliding_window;
mod softmax;

use saltflat_config::Listed;

pub use case::{CASE_INPUT, LayerCase, LayerCases, LayerKind, MakeStages};
pub use conv2d::Window;
pub use elementwise::Elementwise;
pub use sliding_window::SlidingWindow;

pub use crate::layer::Layer;

/// Exports the layers and lists them in [`LAYERS`].
macro_rules! layers {
    ($($file:ident::$layer:ident),+ $(,)?) => {
        $(pub use $file::$layer;
        impl Listed for $layer {})+

        /// Every layer; the contract test has the rows of each.
        pub const LAYERS: &[LayerKind] =
            &[$(LayerKind { name: stringify!($layer), cases: <$layer as LayerCases>::cases }),+];
    };
}

layers![
    activation::Activation,
    batch_norm::BatchNorm,
    bias::Bias,
    conv2d::Conv2d,
    fixup_shortcut::FixupShortcut,
    group_norm::GroupNorm,
    linear::Linear,
    avg_pool::AvgPool,
    adaptive_avg_pool::AdaptiveAvgPool,
    max_pool::MaxPool,
    scale::Scale,
    flatten::Flatten,
    softmax::Softmax,
    sigmoid::Sigmoid,
    gelu_tanh::GeluTanh,
    leaky_relu::LeakyRelu,
    elu::Elu,
    relu6::Relu6,
    hard_sigmoid::HardSigmoid,
    hard_swish::HardSwish,
];
