//! Exact linear stability of SGD at one learning rate and batch size.

use serde::Serialize;

use super::{BatchNoise, LinearDynamics, RowGram, Sampling, Solver, StabilityError};

/// Linear stability of SGD at one learning rate and batch size.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Stability {
    /// Largest eigenvalue of T: in the long run E‖w‖² is multiplied by it in every step. If SGD is stable it is just
    /// below one, about 1 − 2η times the smallest eigenvalue kept, and depends on the cutoff; above one it does not.
    pub growth: f64,
    /// SGD is stable exactly for learning rates below this one.
    pub critical_lr: f64,
    /// Bound on the relative error of 1/critical_lr; the true critical lr is not above the one given.
    pub critical_residual: f64,
    /// max |1 − ηhₐ|² over the eigenvalues kept: the growth of gradient descent.
    pub gd_growth: f64,
    /// 2/λ₁(H): the critical learning rate of gradient descent.
    pub gd_critical_lr: f64,
    /// Eigenvalues of H kept.
    pub rank: usize,
    /// lr < critical_lr.
    pub stable: bool,
    /// Both eigenvalues reached the tolerance.
    pub converged: bool,
}

impl LinearDynamics {
    /// All of [`Stability`], as in the example of [`stability()`].
    ///
    /// # Errors
    /// As [`Self::growth`].
    pub fn stability(&self, lr: f64, noise: BatchNoise, solver: &Solver) -> Result<Stability, StabilityError> {
        let growth = self.growth(lr, noise, solver)?;
        let (critical_lr, critical) = self.critical_lr(noise, solver)?;
        Ok(Stability {
            growth: growth.value,
            critical_lr,
            critical_residual: critical.residual,
            gd_growth: self.gd_growth(lr),
            gd_critical_lr: self.gd_critical_lr(),
            rank: self.rank(),
            stable: lr < critical_lr,
            converged: growth.converged && critical.converged,
        })
    }
}

/// Measures the linear stability of SGD from inner products of rows.
///
/// `relative_precision`: eigenvalues of H below this fraction of the largest are taken for zero; about 1e-6 for
/// a Gram matrix computed in f32, 1e-12 in f64. For several learning rates or batch sizes build [`LinearDynamics`] once.
///
/// # Errors
/// Every way in which the numbers can be out of range, see [`StabilityError`].
///
/// ```
/// use nalgebra::DMatrix;
/// use saltflat_metrics::stability::{RowGram, Sampling, stability};
///
/// // Two samples of one output with the gradients (1, 0) and (0, 2): H = diag(1, 4)/2.
/// let matrix = DMatrix::from_row_slice(2, 2, &[1.0, 0.0, 0.0, 4.0]);
/// let gram = RowGram { samples: 2, rows_per_sample: 1, matrix };
/// // With single samples a step multiplies w₂² by (1 - 4η)² or by 1: the mean is below 1 for η < ½, that of gradient descent for η < 1.
/// let found = stability(&gram, 0.6, 1, Sampling::WithoutReplacement, 1e-12)?;
/// assert!((found.critical_lr - 0.5).abs() < 1e-6 && (found.gd_critical_lr - 1.0).abs() < 1e-12);
/// assert!(!found.stable && (found.growth - 0.5 * (1.0 + 1.4 * 1.4)).abs() < 1e-6);
/// # Ok::<(), saltflat_metrics::stability::StabilityError>(())
/// ```
pub fn stability(
    gram: &RowGram,
    lr: f64,
    batch_size: usize,
    sampling: Sampling,
    relative_precision: f64,
) -> Result<Stability, StabilityError> {
    let noise = sampling.noise(gram.samples, batch_size)?;
    LinearDynamics::new(gram, relative_precision)?.stability(lr, noise, &Solver::default())
}
