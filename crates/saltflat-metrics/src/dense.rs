//! Eigenvalues of small symmetric matrices on the host.

use nalgebra::{DMatrix, Dyn, SymmetricEigen};

use crate::{Interrupt, MetricError};

/// Rows up to which a decomposition takes milliseconds, so that it need not be interrupted.
const QUICK: usize = 256;

/// The eigenvalue decomposition of a symmetric matrix with finite entries.
///
/// # Errors
/// [`MetricError::NotFinite`] if an entry is not finite, [`MetricError::Interrupted`].
pub(crate) fn eigen(matrix: DMatrix<f64>, interrupt: Interrupt<'_>) -> Result<SymmetricEigen<f64, Dyn>, MetricError> {
    if matrix.iter().any(|x| !x.is_finite()) {
        return Err(MetricError::NotFinite(
            "overflow: a matrix of inner products has an entry that is not finite".into(),
        ));
    }
    match matrix.nrows() {
        0..=QUICK => Ok(SymmetricEigen::new(matrix)),
        _ => interrupt.run(|| SymmetricEigen::new(matrix)),
    }
}
