//! Inner products of Gauss-Newton rows.

use nalgebra::{DMatrix, SymmetricEigen};

use super::StabilityError;
use crate::dense::sorted;

/// Inner products of the Gauss-Newton rows of n samples, C rows a sample.
///
/// Entry ((i, c), (j, d)) at row i·C + c, column j·C + d, is ⟨row_ic, row_jd⟩, where Hᵢ = Σ_c row_icᵀ row_ic = Jᵢᵀ Aᵢ Jᵢ.
#[derive(Clone, Debug)]
pub struct RowGram {
    /// n.
    pub samples: usize,
    /// C.
    pub rows_per_sample: usize,
    /// `[n C, n C]`, symmetric and positive semidefinite up to rounding.
    pub matrix: DMatrix<f64>,
}

impl RowGram {
    /// The matrix, made exactly symmetric.
    ///
    /// # Errors
    /// A shape that does not fit, entries that are not finite, or rows that are all zero.
    pub(crate) fn checked(&self) -> Result<DMatrix<f64>, StabilityError> {
        let (rows, columns) = self.matrix.shape();
        let Self { samples, rows_per_sample, .. } = *self;
        let expected = samples.checked_mul(rows_per_sample);
        if expected != Some(rows) || rows != columns {
            return Err(StabilityError::Shape { samples, rows_per_sample, rows, columns });
        }
        if self.matrix.iter().any(|x| !x.is_finite()) {
            return Err(StabilityError::NotFinite);
        }
        if self.matrix.diagonal().iter().all(|&x| x <= 0.0) {
            return Err(StabilityError::ZeroRows);
        }
        Ok((&self.matrix + self.matrix.transpose()) * 0.5)
    }
}

/// Eigenvalues, largest first, and the eigenvectors in the same order as columns.
pub(crate) fn symmetric_eigen(matrix: DMatrix<f64>) -> Result<(Vec<f64>, DMatrix<f64>), StabilityError> {
    let steps = 100 * matrix.nrows().max(10);
    let eigen = SymmetricEigen::try_new(matrix, f64::EPSILON, steps).ok_or(StabilityError::Eigendecomposition)?;
    Ok(sorted(eigen))
}
