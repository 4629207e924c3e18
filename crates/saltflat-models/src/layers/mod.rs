//! Layers, each with its three rules ([`Layer`] says what they are).
//!
//! A layer's value and jet are one piece of code, [`Layer::forward`]. The first coefficient of the loss's jet is ∇L·v, and its
//! backward pass is the exact Hessian-vector product Hv; the second is vᵀHv, with no backward pass.

mod activation;
mod adaptive_avg_pool;
mod affine;
mod attention;
mod avg_pool;
mod batch_norm;
mod bias;
mod class_token;
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
mod layer_norm;
mod leaky_relu;
mod linear;
mod linear_rows;
mod max_pool;
mod normalise;
mod patch_embedding;
mod per_axis;
mod position;
mod relu6;
mod rms_norm;
mod scale;
mod select_token;
mod self_attention;
mod sigmoid;
mod sliding_window;
mod softmax;
mod tokens;

use saltflat_config::Listed;

pub use activation::{Activation, Approximate};
pub use adaptive_avg_pool::AdaptiveAvgPool;
pub use attention::Attention;
pub use avg_pool::AvgPool;
pub use batch_norm::BatchNorm;
pub use bias::Bias;
pub use class_token::ClassToken;
pub use conv2d::{Conv2d, Window};
pub use dropout::Dropout;
pub use elementwise::Elementwise;
pub use elu::Elu;
pub use fixup_shortcut::FixupShortcut;
pub use flatten::Flatten;
pub use group_norm::{GroupNorm, Groups};
pub use keys::Per;
pub use layer_norm::{LayerNorm, NormOver};
pub use leaky_relu::LeakyRelu;
pub use linear::Linear;
pub use max_pool::MaxPool;
pub use position::Position;
pub use scale::Scale;
pub use select_token::SelectToken;
pub use sliding_window::SlidingWindow;
pub use softmax::Softmax;
pub use tokens::Tokens;

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
    attention::AttentionConfig,
    class_token::ClassTokenConfig,
    layer_norm::LayerNormConfig,
    patch_embedding::PatchEmbeddingConfig,
    position::PositionConfig,
    rms_norm::RmsNormConfig,
    select_token::SelectTokenConfig,
    self_attention::SelfAttentionConfig,
    tokens::TokensConfig,
];
