#![doc = include_str!("../README.md")]

mod architecture;
pub mod architectures;
mod differences;
mod error;
mod foreign;
mod gram;
mod init;
pub mod jet;
mod layer;
pub mod layers;
mod layout;
mod limits;
mod loss;
mod model_config;
mod network;
mod pass;
mod tape;
pub mod testing;
mod vector;
mod weights;

pub use architecture::{AnyArchitecture, Architecture, ArchitectureKeys, ArchitectureKind};
pub use architectures::{ARCHITECTURES, Norm};
pub use error::ModelError;
pub use gram::{GramChunks, gram, gram_with, jacobian_gram};
pub use init::Initialisation;
pub use jet::Jet;
pub use layer::Layer;
pub use layout::{Init, Layout, Slot, TensorSpec};
pub use limits::Size;
pub use loss::{Loss, LossKind};
pub use model_config::ModelConfig;
pub use network::{Network, Stage};
pub use pass::{Mode, Pass};
pub use tape::{PerSample, Tape};
pub use vector::{Directions, Vector};
pub use weights::{half_precision, load, save};
