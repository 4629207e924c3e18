#![doc = include_str!("../README.md")]

mod alignment;
mod basis;
mod block;
mod effective_regularization;
mod error;
mod estimate;
mod hessian;
mod label_noise;
mod lanczos;
mod objective;
mod operator;
mod pairs;
mod self_check;
mod sharpness;
mod slices;
mod spectrum;
pub mod stability;
mod trace;
mod wu_bounds;

pub use alignment::{Alignment, feature_norms, noise_eigenvalues};
pub use block::DiagonalBlock;
pub use effective_regularization::{LabelNoiseScale, Regularizer, effective_regularization, regularizer};
pub use error::{Interrupt, MetricError};
pub use estimate::{Estimate, mean_and_error};
pub use hessian::{Curvature, CurvatureOperator, gradient};
pub use label_noise::{ExpectedLabelNoise, FLIPS_WITH_SQUARE_LOSS, NoiseStrength, expected_label_noise};
pub use lanczos::{Eigenpairs, Eigenvalue, GUARANTEED_EIGENVALUES, LanczosOptions, lanczos};
pub use objective::{Batch, Evaluation, Objective, Samples, Scoring, TensorSamples, evaluate, norm};
pub use operator::{Operator, QuadraticForms};
pub use pairs::{GramRows, MeasuredPairs, Outputs, Pairs};
pub use self_check::{Check, FULL_BASIS, self_check};
pub use sharpness::{Sharpness, sharpness};
pub use slices::{Direction, Statistics, filter_normalised, plane, slice};
pub use spectrum::{Quadrature, Spectrum, SpectrumOptions, spectrum};
pub use trace::{DiagonalEstimate, TraceEstimate, TraceMethod, TraceOptions, trace};
pub use wu_bounds::{wu_bound, wu_bound_mu1, wu_growth_bound};
