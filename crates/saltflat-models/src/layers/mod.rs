//! Layers: one a file, each with its three rules.
//!
//! 1. Its value y = f(x; w), in plain burn operations.
//! 2. Its jet along a direction v: value, ẏ = ∂f/∂x ẋ + ∂f/∂w v and, where asked for, ÿ, again in differentiable burn
//!    operations. The first coefficient of the loss is ∇L·v, and its backward pass is the exact Hessian-vector product
//!    Hv; the second is vᵀHv, with no backward pass. Rules 1 and 2 are one piece of code, [`Layer::forward`].
//! 3. Its per-sample gradient, a [`PerSample`](crate::PerSample) rule, for layers with parameters.

mod activation;
mod batch_norm;
mod bias;
mod conv2d;
mod fixup_shortcut;
mod group_norm;
mod linear;
mod normalise;
mod pool;
mod scale;

use std::fmt::Debug;

pub use activation::Activation;
pub use batch_norm::BatchNorm;
pub use bias::Bias;
pub use conv2d::{Conv2d, Window};
pub use fixup_shortcut::FixupShortcut;
pub use group_norm::GroupNorm;
pub use linear::Linear;
pub use pool::{AvgPool, GlobalAvgPool, MaxPool};
pub use scale::Scale;

use crate::{Jet, Pass};

/// One layer of a network: shapes and slots of its tensors; the numbers come with the [`Pass`].
pub trait Layer: Debug + Send + Sync {
    /// Value and jet of the output (rules 1 and 2); a layer with parameters records rule 3 on the pass's tape.
    fn forward(&self, x: Jet, pass: &mut Pass<'_>) -> Jet;

    /// True where the output of one sample depends on the others in its batch, so that a sample has no gradient of its
    /// own.
    fn couples_samples(&self) -> bool {
        false
    }
}
