//! Layers, each with its three rules ([`Layer`] says what they are).
//!
//! A layer's value and jet are one piece of code, [`Layer::forward`]. The first coefficient of the loss's jet is ∇L·v, and its
//! backward pass is the exact Hessian-vector product Hv; the second is vᵀHv, with no backward pass.

mod activation;
mod affine;
mod attention;
mod batch_norm;
mod bias;
mod case;
mod class_token;
mod conv2d;
mod fixup_shortcut;
mod group_norm;
mod layer_norm;
mod linear;
mod linear_rows;
mod normalise;
mod pool;
mod position;
mod scale;
mod select_token;
mod tokens;

use saltflat_config::Listed;

pub use case::{CASE_INPUT, LayerCase, LayerCases, LayerKind, MakeStages};
pub use conv2d::Window;
pub use layer_norm::NormOver;

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
    pool::AvgPool,
    pool::GlobalAvgPool,
    pool::MaxPool,
    scale::Scale,
    attention::Attention,
    class_token::ClassToken,
    layer_norm::LayerNorm,
    position::Position,
    select_token::SelectToken,
    tokens::Tokens,
];
