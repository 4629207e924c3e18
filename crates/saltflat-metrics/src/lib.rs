//! Curvature of the loss and shape of the gradient noise.
//!
//! Everything is measured on an [`Objective`]: a network and a loss on a set of samples, walked in microbatches that are
//! weighted by their size. Every estimate is an [`Estimate`], with its standard error, its number of probes and, where
//! there is no value, the reason.

mod alignment;
mod error;
mod estimate;
mod evaluation;
mod hessian;
mod noise_strength;
mod objective;
mod trace;

pub use alignment::{Alignment, GramRows, alignment, wu_bound};
pub use error::MetricError;
pub use estimate::{Estimate, mean_and_error};
pub use evaluation::{Evaluation, evaluate};
pub use hessian::{gradient, hessian_vector_product};
pub use noise_strength::{NoiseStrength, label_noise_gradient};
pub use objective::{Batch, Objective, Samples, Scoring};
pub use trace::{TraceEstimate, trace};
