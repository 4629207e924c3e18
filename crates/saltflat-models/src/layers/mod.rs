//! Layers, each with its three rules ([`Layer`] says what they are).
//!
//! A layer's value and jet are one piece of code, [`Layer::forward`]. The first coefficient of the loss's jet is ∇L·v, and its
//! backward pass is the exact Hessian-vector product Hv; the second is vᵀHv, with no backward pass.

mod activation;
mod batch_norm;
mod bias;
mod conv2d;
mod fixup_shortcut;
mod flatten;
mod group_norm;
mod keys;
mod linear;
mod normalise;
mod pool;
mod scale;

use saltflat_config::Listed;

pub use activation::Activation;
pub use batch_norm::BatchNorm;
pub use bias::Bias;
pub use conv2d::{Conv2d, Window};
pub use fixup_shortcut::FixupShortcut;
pub use flatten::Flatten;
pub use group_norm::{GroupNorm, Groups};
pub use linear::Linear;
pub use pool::{AvgPool, GlobalAvgPool, MaxPool};
pub use scale::Scale;

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
    pool::AvgPoolConfig,
    pool::GlobalAvgPoolConfig,
    pool::MaxPoolConfig,
    scale::ScaleConfig,
];
