//! Coherence of the samples' curvatures and exact linear stability of SGD, from inner products of Gauss-Newton rows.

mod coherence;
mod dynamics;
mod error;
mod growth;
mod row_gram;
mod sampling;
mod top_eigenvalue;

pub use coherence::{Coherence, coherence, dexter_convergence_bound, dexter_divergence_bound, gram_eigenvalues};
pub use dynamics::LinearDynamics;
pub use error::StabilityError;
pub use growth::{Stability, stability};
pub use row_gram::RowGram;
pub use sampling::{BatchNoise, Sampling};
pub use top_eigenvalue::{Solver, TopEigenvalue};
