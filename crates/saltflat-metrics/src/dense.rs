//! Eigenvalues of small symmetric matrices on the host.

use nalgebra::{DMatrix, Dyn, SymmetricEigen};

use crate::{Interrupt, MetricError};

/// Rows up to which a decomposition takes milliseconds, so that it need not be interrupted.
const QUICK: usize = 256;

/// Eigenvalues of a symmetric matrix with finite entries, largest first, and the eigenvectors in the same order as columns.
///
/// # Errors
/// [`MetricError::NotFinite`] if an entry is not finite, [`MetricError::Interrupted`].
pub(crate) fn eigen(matrix: DMatrix<f64>, interrupt: Interrupt<'_>) -> Result<(Vec<f64>, DMatrix<f64>), MetricError> {
    if matrix.iter().any(|x| !x.is_finite()) {
        return Err(MetricError::NotFinite(
            "overflow: a matrix of inner products has an entry that is not finite".into(),
        ));
    }
    match matrix.nrows() {
        0..=QUICK => Ok(sorted(SymmetricEigen::new(matrix))),
        _ => interrupt.run(|| sorted(SymmetricEigen::new(matrix))),
    }
}

/// The eigenvalues, largest first, and the eigenvectors in the same order.
pub(crate) fn sorted(eigen: SymmetricEigen<f64, Dyn>) -> (Vec<f64>, DMatrix<f64>) {
    let mut order: Vec<usize> = (0..eigen.eigenvalues.len()).collect();
    order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
    (order.iter().map(|&k| eigen.eigenvalues[k]).collect(), eigen.eigenvectors.select_columns(&order))
}
