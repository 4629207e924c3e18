//! Curvature of the loss and shape of the gradient noise of a network, each number with its error.
//!
//! Everything is measured on an [`Objective`]: a network and a loss on a set of samples, walked in microbatches that are
//! weighted by their size. Every estimate is an [`Estimate`], with its standard error, its number of probes and, if
//! there is no value, the reason. A measurement can be given up at any time by an [`Interrupt`]; it leaves nothing behind.
//!
//! | to measure | take |
//! | --- | --- |
//! | loss, accuracy, gradient | [`evaluate`], [`gradient`] |
//! | products with the Hessian or the Gauss–Newton matrix | [`CurvatureOperator`] |
//! | trace and Frobenius norm | [`trace()`] |
//! | the largest and smallest eigenvalues | [`lanczos()`] |
//! | the spectral density, traces of functions of H | [`spectrum()`], [`regularizer()`] |
//! | the alignment of gradient noise and landscape, bounds on sharpness | [`Pairs`], [`Alignment`], [`wu_bound`] |
//! | the exact linear stability of SGD | [`stability`] |
//! | the loss along directions | [`slice()`], [`plane`] |
//!
//! The estimators work on any [`Operator`]. A metric of one's own walks over [`Objective::batches`], as `examples/hessian_trace.rs` shows
//! beside a comparison with a closed form.
//!
//! ```
//! # mod support { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/support/least_squares.rs")); }
//! use support::LeastSquares;
//! use saltflat_metrics::{Curvature, CurvatureOperator, TraceOptions, trace};
//! use saltflat_random::{Key, Stream};
//!
//! // A linear model with the square loss on three samples of two inputs; see `Objective` for how to make one from layers and tensors.
//! let model = LeastSquares::new(&[[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]], &[0.0, 1.0, 2.0]);
//! let objective = model.objective();
//! let hessian = CurvatureOperator::new(&objective, &model.weights, Curvature::Hessian);
//! let found = trace(&hessian, &TraceOptions::hutchinson(100), Key::new(1, Stream::Probe, 0))?;
//! // tr H = (1/n) Σ ‖x‖² = 7/3.
//! let (value, error) = (found.trace.value.unwrap(), found.trace.std_error.unwrap());
//! assert!((value - 7.0 / 3.0).abs() < 4.0 * error);
//! # Ok::<(), saltflat_metrics::MetricError>(())
//! ```

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
pub use hessian::{Curvature, CurvatureOperator, gradient};
pub use interrupt::Interrupt;
pub use label_noise::{ExpectedLabelNoise, FLIPS_WITH_SQUARE_LOSS, expected_label_noise};
pub use lanczos::{Eigenpairs, Eigenvalue, GUARANTEED_EIGENVALUES, LanczosOptions, lanczos};
pub use noise_strength::{NoiseStrength, label_noise_gradient};
pub use objective::{Batch, Objective, Samples, Scoring, TensorSamples};
pub use operator::{Forms, Operator};
pub use pairs::{GramRows, Outputs, Pairs};
pub use regularizer::{Regularizer, regularizer};
pub use self_check::{Check, FULL_BASIS, self_check};
pub use sharpness::{Sharpness, sharpness};
pub use slices::{Direction, Statistics, filter_normalised, plane, slice};
pub use spectrum::{Quadrature, Spectrum, SpectrumOptions, spectrum};
pub use trace::{TraceEstimate, TraceMethod, TraceOptions, trace};
pub use wu_bounds::{wu_bound, wu_bound_mu1, wu_growth_bound};
