//! Coherence of the samples' curvatures and the bounds on sharpness that follow from it.
//!
//! Dexter, Ocejo, Keerthi, Gupta, Acharya, Khanna (2024), "A precise characterization of SGD stability using loss surface
//! geometry". The theorems are for Bernoulli batches: each sample with probability B/n, the sum divided by B.

use nalgebra::DMatrix;
use serde::Serialize;

use super::{RowGram, StabilityError};

/// σ and what it is made of.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Coherence {
    /// σ = λ₁(S) / maxᵢ λ₁(Hᵢ). 1 if the Hᵢ are orthogonal, n if they are equal and of rank one. Above n is
    /// possible if the Hᵢ have a higher rank.
    pub sigma: f64,
    /// λ₁(S), with S_ij = √tr(HᵢHⱼ).
    pub top_of_overlaps: f64,
    /// maxᵢ λ₁(Hᵢ).
    pub top_of_samples: f64,
}

/// The coherence σ of the samples (definition 2).
///
/// S_ij is the Frobenius norm of block (i, j) of the Gram matrix; λ₁(Hᵢ) is the top eigenvalue of block (i, i).
///
/// # Errors
/// A Gram matrix of the wrong shape, with entries that are not finite, or of rows that are all zero.
pub fn coherence(gram: &RowGram) -> Result<Coherence, StabilityError> {
    let matrix = gram.checked()?;
    let (n, rows) = (gram.samples, gram.rows_per_sample);
    let block = |i: usize, j: usize| matrix.view((i * rows, j * rows), (rows, rows));
    let overlaps = DMatrix::from_fn(n, n, |i, j| block(i, j).norm());
    let top_of_overlaps = top(eigenvalues(overlaps)?);
    let mut top_of_samples = 0.0_f64;
    for i in 0..n {
        top_of_samples = top_of_samples.max(top(eigenvalues(block(i, i).into_owned())?));
    }
    Ok(Coherence { sigma: top_of_overlaps / top_of_samples, top_of_overlaps, top_of_samples })
}

/// Eigenvalues of GGN = (1/n) Σ Hᵢ, largest first: those of the Gram matrix over n. There are n·C; if the parameters
/// are fewer the rest are zero up to rounding, if they are more the GGN has further zeros.
///
/// # Errors
/// As [`coherence`].
pub fn gram_eigenvalues(gram: &RowGram) -> Result<Vec<f64>, StabilityError> {
    let n = gram.samples as f64;
    eigenvalues(gram.checked()? / n)
}

/// (σ/η)(n/B − 1)^(−1/2), theorem 1: if λ₁(H) is above it, SGD diverges. n, σ and H are those of all samples that the
/// batches are drawn from, H = (1/n) Σ Hᵢ the Gauss–Newton matrix.
///
/// σ of m < n samples cannot take the place of theirs. Let S_m be the block of S of these samples. If all Hᵢ are alike and of
/// rank one, λ₁(S) = n/m λ₁(S_m); if they are orthogonal, λ₁(S) = λ₁(S_m); and samples that were not measured may have any
/// λ₁(Hᵢ). With σ_m the bound would be too low or too high by a factor that m samples do not tell.
///
/// # Errors
/// B = n (no gradient noise, no bound), no such batch, or lr not positive.
pub fn dexter_divergence_bound(sigma: f64, samples: usize, batch_size: usize, lr: f64) -> Result<f64, StabilityError> {
    let excess = excess(samples, batch_size, lr)?;
    if batch_size == samples {
        return Err(StabilityError::NoNoise { samples });
    }
    Ok(sigma / lr / excess.sqrt())
}

/// (2σ/η)(σ + n/B − 1)^(−1), theorem 2: for every λ₁ below it there are samples with this coherence and λ₁(H) = λ₁ for
/// which SGD does not diverge. No statement about the samples at hand.
///
/// # Errors
/// No such batch, or lr not positive.
pub fn dexter_convergence_bound(sigma: f64, samples: usize, batch_size: usize, lr: f64) -> Result<f64, StabilityError> {
    Ok(2.0 * sigma / lr / (sigma + excess(samples, batch_size, lr)?))
}

/// n/B − 1.
fn excess(samples: usize, batch_size: usize, lr: f64) -> Result<f64, StabilityError> {
    if batch_size == 0 || batch_size > samples {
        return Err(StabilityError::BatchSize { batch_size, samples });
    }
    if !(lr > 0.0 && lr.is_finite()) {
        return Err(StabilityError::LearningRate(lr));
    }
    Ok(samples as f64 / batch_size as f64 - 1.0)
}

/// Eigenvalues of a symmetric matrix, largest first.
fn eigenvalues(matrix: DMatrix<f64>) -> Result<Vec<f64>, StabilityError> {
    let mut values: Vec<f64> = matrix.symmetric_eigenvalues().iter().copied().collect();
    if values.iter().any(|x| !x.is_finite()) {
        return Err(StabilityError::Eigendecomposition);
    }
    values.sort_by(|a, b| b.total_cmp(a));
    Ok(values)
}

fn top(values: Vec<f64>) -> f64 {
    values.first().copied().unwrap_or(0.0)
}
