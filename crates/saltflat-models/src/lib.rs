//! Networks whose layers know three rules: value, jet and per-sample gradient.
//!
//! A [`Network`] is a pure function f(x; θ): it holds shapes and names, never numbers. A point θ or a direction v in
//! parameter space is a [`Vector`]. A forward pass is a [`Pass`]: of order 0 it gives outputs, of order 1 the derivative
//! along a direction (whose backward pass is an exact Hessian-vector product), of order 2 also vᵀHv. [`gram()`] gives
//! inner products of per-sample gradients.

mod differences;
mod error;
mod foreign;
mod gram;
mod init;
mod jet;
pub mod layers;
mod layout;
mod loss;
pub mod models;
mod network;
mod pass;
mod tape;
mod vector;
mod weights;

pub use error::ModelError;
pub use gram::{GramChunks, gram, gram_with, jacobian_gram};
pub use init::Initialisation;
pub use jet::Jet;
pub use layout::{Init, Layout, Slot, TensorSpec};
pub use loss::{Loss, LossKind};
pub use models::{Architecture, ModelConfig, Norm};
pub use network::{Network, Stage};
pub use pass::{Mode, Pass};
pub use tape::{PerSample, Tape};
pub use vector::{Directions, Vector};
pub use weights::{half_precision, load, save};
