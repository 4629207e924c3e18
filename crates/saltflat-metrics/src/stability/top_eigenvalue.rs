//! Largest eigenvalue of a large self-adjoint map on the host.

use nalgebra::{DMatrix, DVector};
use serde::Serialize;

use super::{StabilityError, inputs::symmetric_eigen};

/// When the iteration stops.
#[derive(Clone, Copy, Debug)]
pub struct Solver {
    /// Stop at residual ≤ tolerance.
    pub tolerance: f64,
    /// Stop after so many applications of the map, converged or not.
    pub max_applications: usize,
    /// Vectors kept, with their images; when they are full the iteration restarts from the best quarter of them.
    pub basis: usize,
}

impl Default for Solver {
    fn default() -> Self {
        Self { tolerance: 1e-8, max_applications: 300, basis: 24 }
    }
}

/// A Ritz value: never above the largest eigenvalue, and within `residual` · max(1, |value|) of some eigenvalue.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TopEigenvalue {
    /// The largest Ritz value.
    pub value: f64,
    /// ‖A x − value x‖ for the unit Ritz vector x, over max(1, |value|).
    pub residual: f64,
    /// Applications of the map.
    pub applications: usize,
    /// Whether the residual came below the tolerance.
    pub converged: bool,
}

/// The generalised Davidson method (Morgan and Scott 1986): Rayleigh-Ritz in an orthonormal basis that grows by the
/// preconditioned residual of the best Ritz vector. With the identity as the preconditioner it spans what Lanczos spans.
///
/// `precondition(value, residual)` is an approximate solution of (value − A) x = residual. The start must overlap with the
/// top eigenvector.
pub(crate) fn top_eigenvalue(
    start: DVector<f64>,
    mut apply: impl FnMut(&DVector<f64>) -> DVector<f64>,
    mut precondition: impl FnMut(f64, DVector<f64>) -> DVector<f64>,
    solver: &Solver,
) -> Result<TopEigenvalue, StabilityError> {
    let capacity = solver.basis.max(8);
    let tolerance = solver.tolerance.max(1e-13);
    let mut basis = DMatrix::zeros(start.len(), capacity);
    let mut images = DMatrix::zeros(start.len(), capacity);
    // basisᵀ A basis.
    let mut projected = DMatrix::zeros(capacity, capacity);
    let mut size = 0;
    let mut next = start;
    let mut applications = 0;
    loop {
        next.normalize_mut();
        // The second pass removes what rounding left of the first.
        for _ in 0..2 {
            let used = basis.columns(0, size);
            let overlaps = used.tr_mul(&next);
            next.gemv(-1.0, &used, &overlaps, 1.0);
            next.normalize_mut();
        }
        let image = apply(&next);
        applications += 1;
        basis.set_column(size, &next);
        images.set_column(size, &image);
        size += 1;
        let couplings = basis.columns(0, size).tr_mul(&image);
        if couplings.iter().any(|x| !x.is_finite()) {
            return Err(StabilityError::Overflow);
        }
        projected.view_mut((0, size - 1), (size, 1)).copy_from(&couplings);
        projected.view_mut((size - 1, 0), (1, size)).copy_from(&couplings.transpose());

        let (values, vectors) = symmetric_eigen(projected.view((0, 0), (size, size)).into_owned())?;
        let (value, weights) = (values[0], vectors.column(0));
        let mut rest = images.columns(0, size) * weights;
        rest.gemv(-value, &basis.columns(0, size), &weights, 1.0);
        let residual = rest.norm() / value.abs().max(1.0);
        let converged = residual <= tolerance;
        if converged || applications >= solver.max_applications || size == next.len() {
            return Ok(TopEigenvalue { value, residual, applications, converged });
        }
        next = precondition(value, rest);
        if size == capacity {
            size = capacity / 4;
            let best = vectors.columns(0, size);
            let (kept, kept_images) = (&basis * best, &images * best);
            basis.columns_mut(0, size).copy_from(&kept);
            images.columns_mut(0, size).copy_from(&kept_images);
            projected = DMatrix::from_fn(capacity, capacity, |a, b| if a == b { values[a] } else { 0.0 });
        }
    }
}
