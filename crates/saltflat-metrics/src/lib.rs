//! Curvature of the loss and shape of the gradient noise.
//!
//! Everything is measured on an [`Objective`]: a network and a loss on a set of samples, walked in microbatches that are
//! weighted by their size. Every estimate is an [`Estimate`], with its standard error, its number of probes and, where
//! there is no value, the reason. A measurement can be given up at any time by an [`Interrupt`]; it leaves nothing behind.

mod alignment;
mod basis;
mod dense;
mod effective_regularization;
mod error;
mod estimate;
mod evaluation;
mod hessian;
mod interrupt;
mod label_noise;
mod lanczos;
mod noise_strength;
mod objective;
mod operator;
mod pairs;
mod regularizer;
mod self_check;
mod sharpness;
mod slices;
mod spectrum;
pub mod stability;
mod trace;
mod wu_bounds;

pub use alignment::{Alignment, feature_norms, noise_eigenvalues};
pub use effective_regularization::{LabelNoiseScale, effective_regularization};
pub use error::MetricError;
pub use estimate::{Estimate, mean_and_error};
pub use evaluation::{Evaluation, evaluate, norm};
pub use hessian::{Curvature, CurvatureOperator, gradient, hessian_vector_product};
pub use interrupt::Interrupt;
pub use label_noise::{ExpectedLabelNoise, FLIPS_WITH_SQUARE_LOSS, expected_label_noise};
pub use lanczos::{ALWAYS, Eigenpairs, Eigenvalue, LanczosOptions, lanczos};
pub use noise_strength::{NoiseStrength, label_noise_gradient};
pub use objective::{Batch, Objective, Samples, Scoring};
pub use operator::{Forms, Operator};
pub use pairs::{GramRows, Outputs, Pairs};
pub use regularizer::{Regularizer, regularizer};
pub use self_check::{Check, FULL_BASIS, self_check};
pub use sharpness::{Sharpness, sharpness};
pub use slices::{Direction, Statistics, filter_normalised, plane, slice};
pub use spectrum::{Quadrature, Spectrum, SpectrumOptions, spectrum};
pub use trace::{TraceEstimate, TraceMethod, TraceOptions, trace};
pub use wu_bounds::{wu_bound, wu_bound_mu1, wu_growth_bound};
