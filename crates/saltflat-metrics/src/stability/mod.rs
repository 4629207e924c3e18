//! Coherence of the samples' curvatures and exact linear stability of SGD, from inner products of Gauss-Newton rows.

mod coherence;
mod dynamics;
mod error;
mod row_gram;
mod top_eigenvalue;

pub use coherence::{Coherence, coherence, dexter_convergence_bound, dexter_divergence_bound, gram_eigenvalues};
pub use dynamics::{BatchNoise, LinearDynamics, Sampling, Stability, stability};
pub use error::StabilityError;
pub use row_gram::RowGram;
pub use top_eigenvalue::{Solver, TopEigenvalue};
