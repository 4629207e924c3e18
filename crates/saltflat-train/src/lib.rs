//! Training.
mod optimizer;
pub use optimizer::Sgd;
