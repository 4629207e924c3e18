//! Largest eigenvalue of a large self-adjoint map on the host.

use nalgebra::{DMatrix, DVector};
use serde::Serialize;

use super::{StabilityError, row_gram::symmetric_eigen};

/// When the iteration stops.
#[derive(Clone, Copy, Debug)]
pub struct Solver {
    /// Stop at residual ≤ tolerance · max(1, |value|).
    pub tolerance: f64,
    /// Stop after so many applications of the map, converged or not.
    pub max_applications: usize,
    /// Vectors kept; the iteration restarts from the best quarter of them when they are full.
    pub basis: usize,
}

impl Default for Solver {
    fn default() -> Self {
        Self { tolerance: 1e-8, max_applications: 400, basis: 40 }
    }
}

/// A Ritz value: never above the largest eigenvalue, and within `residual` of some eigenvalue.
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

/// Thick-restart Lanczos with full reorthogonalisation (Wu and Simon 2000).
///
/// The start must overlap with the top eigenvector.
pub(crate) fn top_eigenvalue(
    start: &DVector<f64>,
    mut apply: impl FnMut(&DVector<f64>) -> DVector<f64>,
    solver: &Solver,
) -> Result<TopEigenvalue, StabilityError> {
    let capacity = solver.basis.max(8);
    let keep = capacity / 4;
    let tolerance = solver.tolerance.max(1e-13);
    let mut basis = DMatrix::zeros(start.len(), capacity);
    // basisᵀ A basis.
    let mut projected = DMatrix::zeros(capacity, capacity);
    let mut size = 0;
    let mut next = start.normalize();
    let mut applications = 0;
    loop {
        basis.set_column(size, &next);
        size += 1;
        let mut image = apply(&next);
        applications += 1;
        let used = basis.columns(0, size);
        let mut overlaps = DVector::zeros(size);
        // The second pass removes what rounding left of the first.
        for _ in 0..2 {
            let pass = used.tr_mul(&image);
            image.gemv(-1.0, &used, &pass, 1.0);
            overlaps += pass;
        }
        let coupling = image.norm();
        if !coupling.is_finite() || overlaps.iter().any(|x| !x.is_finite()) {
            return Err(StabilityError::Overflow);
        }
        projected.view_mut((0, size - 1), (size, 1)).copy_from(&overlaps);
        projected.view_mut((size - 1, 0), (1, size)).copy_from(&overlaps.transpose());
        let (values, vectors) = symmetric_eigen(projected.view((0, 0), (size, size)).into_owned())?;
        let value = values[0];
        let residual = coupling * vectors[(size - 1, 0)].abs() / value.abs().max(1.0);
        let converged = residual <= tolerance;
        if converged || applications >= solver.max_applications {
            return Ok(TopEigenvalue { value, residual, applications, converged });
        }
        if size == capacity {
            let kept = &basis * vectors.columns(0, keep);
            basis.columns_mut(0, keep).copy_from(&kept);
            projected.fill(0.0);
            for (k, value) in values.iter().enumerate().take(keep) {
                projected[(k, k)] = *value;
            }
            size = keep;
        }
        next = image / coupling;
    }
}
