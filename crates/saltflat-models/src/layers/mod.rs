//! Layers, each with its three rules ([`Layer`] says what they are).
//!
//! A layer's value and jet are one piece of code, [`Layer::forward`]. The first coefficient of the loss's jet is ∇L·v, and its
//! backward pass is the exact Hessian-vector product Hv; the second is vᵀHv, with no backward pass.

mod activation;
mod adaptive_avg_pool;
mod avg_pool;
mod batch_norm;
mod bias;
mod conv2d;
mod dropout;
mod elementwise;
mod elu;
mod fixup_shortcut;
mod flatten;
mod gelu_tanh;
mod group_norm;
mod hard_sigmoid;
mod hard_swish;
mod keys;
mod leaky_relu;
mod linear;
mod max_pool;
mod normalise;
mod per_axis;
mod relu6;
mod scale;
mod sigmoid;
mod sliding_window;
mod softmax;

use saltflat_config::Listed;

pub use activation::{Activation, Approximate};
pub use adaptive_avg_pool::AdaptiveAvgPool;
pub use avg_pool::AvgPool;
pub use batch_norm::BatchNorm;
pub use bias::Bias;
pub use conv2d::{Conv2d, Window};
pub use dropout::Dropout;
pub use elementwise::Elementwise;
pub use elu::Elu;
pub use fixup_shortcut::FixupShortcut;
pub use flatten::Flatten;
pub use group_norm::{GroupNorm, Groups};
pub use leaky_relu::LeakyRelu;
pub use linear::Linear;
pub use max_pool::MaxPool;
pub use scale::Scale;
pub use sliding_window::SlidingWindow;
pub use softmax::Softmax;

pub use crate::layer::Layer;
use crate::layer_config::{LayerKind, entry};

/// Exports the configurations of layers and lists them in [`LAYERS`].
macro_rules! layers {
    ($($file:ident::$layer:ident),+ $(,)?) => {
        $(pub use $file::$layer;
        impl Listed for $layer {})+

        /// Every layer that a list can name; the contract test has the rows of each.
        pub const LAYERS: &[LayerKind] = &[$(entry::<$layer>()),+];
    };
}

layers![
    activation::ActivationConfig,
    batch_norm::BatchNormConfig,
    bias::BiasConfig,
    conv2d::Conv2dConfig,
    fixup_shortcut::FixupShortcutConfig,
    flatten::FlattenConfig,
    group_norm::GroupNormConfig,
    linear::LinearConfig,
    avg_pool::AvgPoolConfig,
    adaptive_avg_pool::AdaptiveAvgPoolConfig,
    max_pool::MaxPoolConfig,
    scale::ScaleConfig,
    leaky_relu::LeakyReluConfig,
    elu::EluConfig,
    softmax::SoftmaxConfig,
    dropout::DropoutConfig,
];
