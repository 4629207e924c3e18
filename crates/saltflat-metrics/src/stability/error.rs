//! Why a measurement of stability has no value.

/// Errors of the coherence and of the linear stability.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum StabilityError {
    /// The matrix does not have samples x rows_per_sample rows and columns.
    #[error(
        "the Gram matrix of {samples} samples with {rows_per_sample} rows each must be square with that many rows, found {rows} x {columns}"
    )]
    Shape {
        /// Samples announced.
        samples: usize,
        /// Rows a sample announced.
        rows_per_sample: usize,
        /// Rows found.
        rows: usize,
        /// Columns found.
        columns: usize,
    },
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
    BatchSize {
        /// Batch size found.
        batch_size: usize,
        /// Samples there are.
        samples: usize,
    },
    /// The batch is the whole set: SGD is gradient descent and the bound says nothing.
    #[error("a batch of all {samples} samples has no gradient noise, so the bound does not apply")]
    NoNoise {
        /// Samples there are.
        samples: usize,
    },
    /// σ of some samples tells nothing about the bound of all.
    #[error("of {measured} of {samples} training samples; a bound needs metrics.alignment.samples = {samples}")]
    Subset {
        /// Samples measured.
        measured: usize,
        /// Samples that the batches are drawn from.
        samples: usize,
    },
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
