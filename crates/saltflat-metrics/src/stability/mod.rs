//! Coherence of the samples' curvatures and exact linear stability of SGD, from inner products of Gauss-Newton rows.

mod coherence;
mod dynamics;
mod growth;
mod inputs;
mod top_eigenvalue;

pub use coherence::{Coherence, coherence, dexter_convergence_bound, dexter_divergence_bound, gram_eigenvalues};
pub use dynamics::LinearDynamics;
pub use growth::{Stability, stability};
pub use inputs::{BatchNoise, RowGram, Sampling, StabilityError};
pub use top_eigenvalue::{Solver, TopEigenvalue};
