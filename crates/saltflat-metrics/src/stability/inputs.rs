//! What the stability of SGD is computed from, inner products of Gauss-Newton rows and the way batches are drawn, and why it has no
//! value.

use nalgebra::{DMatrix, SymmetricEigen};
use serde::Serialize;

use crate::basis::sorted;

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

/// How the batch of a step is drawn, afresh in every step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sampling {
    /// Each sample with probability B/n; the sum over the batch is divided by B.
    Bernoulli,
    /// A uniformly random subset of B samples.
    WithoutReplacement,
    /// B independent draws of one sample.
    WithReplacement,
}

/// The numbers in Q(M) = (1 − d) H M H + c V(M).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNoise {
    /// c: weight of the single samples.
    pub samples: f64,
    /// d: what the pairs of different samples lack.
    pub pairs: f64,
}

impl Sampling {
    /// c and d for batches of `batch_size` out of `samples`.
    ///
    /// | | c | d |
    /// | --- | --- | --- |
    /// | Bernoulli | 1/B − 1/n | 0 |
    /// | without replacement | (n − B)/(B(n − 1)) | c |
    /// | with replacement | 1/B | c |
    ///
    /// # Errors
    /// [`StabilityError::BatchSize`] for B = 0, and for B > n except with replacement.
    pub fn noise(self, samples: usize, batch_size: usize) -> Result<BatchNoise, StabilityError> {
        if samples == 0 || batch_size == 0 || (batch_size > samples && self != Self::WithReplacement) {
            return Err(StabilityError::BatchSize { batch_size, samples });
        }
        let (n, b) = (samples as f64, batch_size as f64);
        Ok(match self {
            Self::Bernoulli => BatchNoise { samples: 1.0 / b - 1.0 / n, pairs: 0.0 },
            Self::WithoutReplacement if batch_size == samples => BatchNoise { samples: 0.0, pairs: 0.0 },
            Self::WithoutReplacement => {
                let c = (n - b) / (b * (n - 1.0));
                BatchNoise { samples: c, pairs: c }
            }
            Self::WithReplacement => BatchNoise { samples: 1.0 / b, pairs: 1.0 / b },
        })
    }
}

/// Errors of the coherence and of the linear stability.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs)] // The messages say what the fields are.
pub enum StabilityError {
    /// The matrix does not have samples x rows_per_sample rows and columns.
    #[error(
        "the Gram matrix of {samples} samples with {rows_per_sample} rows each must be square with that many rows, found {rows} x {columns}"
    )]
    Shape { samples: usize, rows_per_sample: usize, rows: usize, columns: usize },
    /// An entry is infinite or not a number.
    #[error("the Gram matrix holds a number that is not finite")]
    NotFinite,
    /// No sample has curvature.
    #[error("all Gauss-Newton rows are zero, so no sample has curvature")]
    ZeroRows,
    /// The learning rate is not a positive number.
    #[error("lr must be positive and finite, found {0}")]
    LearningRate(f64),
    /// No such batch can be drawn.
    #[error("batch_size must be between 1 and the number of samples, {samples}, found {batch_size}")]
    BatchSize { batch_size: usize, samples: usize },
    /// The batch is the whole set: SGD is gradient descent and the bound says nothing.
    #[error("a batch of all {samples} samples has no gradient noise, so the bound does not apply")]
    NoNoise { samples: usize },
    /// σ of some samples tells nothing about the bound of all.
    #[error("of {measured} of {samples} training samples; a bound needs metrics.alignment.samples = {samples}")]
    Subset { measured: usize, samples: usize },
    /// The cutoff of the spectrum is not a fraction.
    #[error("relative_precision must be at least 0 and below 1, found {0}")]
    RelativePrecision(f64),
    /// The eigendecomposition of the Gram matrix failed.
    #[error("the eigendecomposition of the Gram matrix did not converge")]
    Eigendecomposition,
    /// lr times the top eigenvalue is beyond the range of f64.
    #[error("lr times the top eigenvalue is too large to compute with")]
    Overflow,
}
