//! What the Lanczos method takes and gives.

use saltflat_models::Vector;
use serde::Serialize;

/// Eigenvalues that are searched however little memory there is.
pub const GUARANTEED_EIGENVALUES: usize = 64;

/// Which eigenvalues are computed, and how accurately.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LanczosOptions {
    /// How many of the largest.
    pub largest: usize,
    /// How many of the smallest.
    pub smallest: usize,
    /// A pair is converged if ‖Au − λu‖ is at most this times |λ|, or a tenth of the largest |λ| found if that is more.
    pub tolerance: f64,
    /// Products at most.
    pub products: usize,
    /// Bytes that the basis and the vectors beside it may take; when it is full it is cut down to the wanted Ritz vectors
    /// (thick restart). The least that it can do with is a basis of 6 more vectors than are wanted.
    pub memory: usize,
}

impl Default for LanczosOptions {
    fn default() -> Self {
        Self { largest: 5, smallest: 1, tolerance: 1e-3, products: 300, memory: 1 << 30 }
    }
}

/// An approximate eigenpair.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Eigenvalue {
    /// λ.
    pub value: f64,
    /// ‖Au − λu‖: an eigenvalue of A lies within this of λ.
    pub residual: f64,
    /// True if the residual is within the tolerance.
    pub converged: bool,
}

/// Both ends of a spectrum.
#[derive(Clone, Debug)]
pub struct Eigenpairs {
    /// The largest eigenvalues, largest first.
    pub largest: Vec<Eigenvalue>,
    /// Their vectors, of length 1.
    pub largest_vectors: Vec<Vector>,
    /// The smallest eigenvalues, smallest first.
    pub smallest: Vec<Eigenvalue>,
    /// Their vectors, of length 1.
    pub smallest_vectors: Vec<Vector>,
    /// Products that it took.
    pub products: usize,
}
