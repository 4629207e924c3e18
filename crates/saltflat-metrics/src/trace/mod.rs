//! Trace and Frobenius norm of a symmetric matrix from its products.

mod diagonal;
mod hutchinson;
mod options;
mod xtrace;

pub use diagonal::DiagonalEstimate;
pub use options::{TraceEstimate, TraceMethod, TraceOptions};
use saltflat_random::Key;

use crate::{MetricError, Operator};

/// Estimates the trace of A as `options` say. Probe k is drawn under part k of `key`.
///
/// # Errors
/// [`MetricError::Device`] if the products cannot be read, and [`MetricError::Interrupted`].
///
/// ```
/// # mod support { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/support/least_squares.rs")); }
/// # use support::LeastSquares;
/// use saltflat_metrics::{Curvature, CurvatureOperator, TraceMethod, TraceOptions, trace};
/// use saltflat_random::{Key, Stream};
///
/// // The square loss of w·x on the inputs (1, 1) and (1, -1): H = (1/n) Σ xxᵀ is the identity.
/// let model = LeastSquares::new(&[[1.0, 1.0], [1.0, -1.0]], &[0.0, 3.0]);
/// let objective = model.objective();
/// let hessian = CurvatureOperator::new(&objective, &model.weights, Curvature::Hessian);
/// for method in [TraceMethod::Hutchinson, TraceMethod::HutchPlusPlus, TraceMethod::XTrace] {
///     let options = TraceOptions { method, ..TraceOptions::hutchinson(12) };
///     let found = trace(&hessian, &options, Key::new(1, Stream::Probe, 0))?;
///     assert!((found.trace.value.unwrap() - 2.0).abs() < 1e-12);
///     assert!((found.frobenius.value.unwrap() - 2.0_f64.sqrt()).abs() < 1e-12);
/// }
/// # Ok::<(), saltflat_metrics::MetricError>(())
/// ```
pub fn trace(operator: &dyn Operator, options: &TraceOptions, key: Key) -> Result<TraceEstimate, MetricError> {
    if options.probes == 0 {
        return Ok(TraceEstimate::absent("0 probes were asked for"));
    }
    let found = match options.method {
        TraceMethod::Hutchinson if options.frobenius || options.diagonal => {
            hutchinson::by_products(operator, options, key)
        }
        TraceMethod::Hutchinson => hutchinson::by_forms(operator, options, key),
        TraceMethod::HutchPlusPlus => hutchinson::hutch_plus_plus(operator, options, key),
        TraceMethod::XTrace => xtrace::estimate(operator, options, key),
    };
    found.or_else(|error| Ok(TraceEstimate::absent(&error.absence()?)))
}
