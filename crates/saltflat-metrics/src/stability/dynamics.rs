//! Exact linear stability of SGD in the mean square.
//!
//! Near a point that every sample has as its minimum, SGD is w ← (I − ηĤ) w with Ĥ = (1/B) Σ_{i in batch} Hᵢ, and the
//! second moment M = E[w wᵀ] follows the linear map
//!
//! T(M) = E[(I − ηĤ) M (I − ηĤ)] = M − η(HM + MH) + η² Q(M), Q(M) = E[Ĥ M Ĥ] = (1 − d) H M H + c V(M),
//!
//! with H = (1/n) Σ Hᵢ, V(M) = (1/n) Σ Hᵢ M Hᵢ, and c, d from the way batches are drawn ([`Sampling`]). E‖w‖² goes to
//! zero in the span of the rows exactly if the spectral radius of T is below one. Outside the span nothing moves.
//!
//! T is self-adjoint in the Frobenius inner product, and its spectral radius is its largest eigenvalue: with X = X₊ − X₋
//! split into its positive and negative parts, |⟨X, T X⟩| ≤ ⟨|X|, T |X|⟩ because ⟨X₊, T X₋⟩ = E tr(X₊ Ĵ X₋ Ĵ) ≥ 0. So no
//! negative eigenvalue is larger in modulus, the top eigenvalue has a positive semidefinite eigenmatrix, and that overlaps
//! with the identity, from which the iteration starts (Perron-Frobenius).
//!
//! Stability is of the second moment. Single trajectories may shrink if it grows.

use nalgebra::{DMatrix, DVector};

use super::{
    BatchNoise, RowGram, Solver, StabilityError, TopEigenvalue, inputs::symmetric_eigen, top_eigenvalue::top_eigenvalue,
};

/// Linearised SGD in the span of the rows, in coordinates in which H is diagonal, of rank r.
///
/// One eigendecomposition of the Gram matrix ((nC)³ work). Then each application of T or Q is two products of
/// `[r, r]` with `[r, n C]`: 4 n C r² floating-point operations. There are 10 to 50 of them. The iteration holds twice
/// [`Solver::basis`] matrices of r(r + 1)/2 numbers, by default 200 r² bytes.
#[derive(Clone, Debug)]
pub struct LinearDynamics {
    rows_per_sample: usize,
    /// λ₁(H). All below is in units of it, so that lr·scale is the only scale left.
    scale: f64,
    /// h/scale, largest first, `[r]`.
    spectrum: DVector<f64>,
    /// F: the rows over √scale, `[n C, r]`; F Fᵀ = Gram matrix/scale, Fᵀ F = n·diag(spectrum).
    rows: DMatrix<f64>,
    /// Fᵀ, `[r, n C]`.
    columns: DMatrix<f64>,
}

impl LinearDynamics {
    /// Eigendecomposition of the Gram matrix; eigenvalues below `relative_precision` of the largest are dropped.
    ///
    /// # Errors
    /// A Gram matrix that is not one, rows that are all zero, or a precision that is no fraction.
    pub fn new(gram: &RowGram, relative_precision: f64) -> Result<Self, StabilityError> {
        if !(0.0..1.0).contains(&relative_precision) {
            return Err(StabilityError::RelativePrecision(relative_precision));
        }
        let matrix = gram.checked()?;
        let n = gram.samples as f64;
        let (values, vectors) = symmetric_eigen(matrix / n)?;
        let scale = values[0];
        let cutoff = relative_precision.max(f64::EPSILON * values.len() as f64);
        let spectrum: Vec<f64> = values.iter().map(|h| h / scale).take_while(|&h| h > cutoff).collect();
        if spectrum.is_empty() {
            return Err(StabilityError::ZeroRows);
        }
        let mut rows = vectors.columns(0, spectrum.len()).into_owned();
        for (mut column, h) in rows.column_iter_mut().zip(&spectrum) {
            column *= (n * h).sqrt();
        }
        let columns = rows.transpose();
        Ok(Self { rows_per_sample: gram.rows_per_sample, scale, spectrum: spectrum.into(), rows, columns })
    }

    /// r, the eigenvalues of H kept.
    pub fn rank(&self) -> usize {
        self.spectrum.len()
    }

    /// Eigenvalues of H kept, largest first.
    pub fn eigenvalues(&self) -> Vec<f64> {
        self.spectrum.iter().map(|h| h * self.scale).collect()
    }

    /// One step of the second moment, M ↦ T(M), `[r, r]` symmetric, in the coordinates of [`Self::eigenvalues`]. With
    /// M = I at first, the trace is E‖w‖² from an isotropic start.
    pub fn step(&self, moment: &DMatrix<f64>, lr: f64, noise: BatchNoise) -> DMatrix<f64> {
        let (lr, h) = (lr * self.scale, &self.spectrum);
        let mut next = self.noisy_product(moment, noise);
        for ((a, b), x) in indexed(&mut next) {
            *x = moment[(a, b)] * (1.0 - lr * (h[a] + h[b])) + lr * lr * *x;
        }
        next
    }

    /// The growth factor: the largest eigenvalue of T.
    ///
    /// # Errors
    /// lr not positive, or beyond the range of f64.
    pub fn growth(&self, lr: f64, noise: BatchNoise, solver: &Solver) -> Result<TopEigenvalue, StabilityError> {
        check_lr(lr)?;
        let (lr_scaled, h) = (lr * self.scale, &self.spectrum);
        // Slow directions, all with eigenvalues next to one, are told apart by 1 − T ≈ ηL.
        let precondition = |value: f64, mut residual: DMatrix<f64>| {
            for ((a, b), x) in indexed(&mut residual) {
                *x /= lr_scaled * (h[a] + h[b]) + (1.0 - value).abs();
            }
            residual
        };
        self.top(|moment| self.step(moment, lr, noise), precondition, solver)
    }

    /// The largest learning rate at which T has no eigenvalue above one; SGD is stable exactly below it. Returned with the
    /// eigenvalue it comes from, in units of λ₁(H), with the relative residual.
    ///
    /// T = I − ηL + η²Q with L(M) = HM + MH and Q ⪰ 0, so T ≺ I exactly for η < 1/λ₁(L^−½ Q L^−½): one eigenvalue, no
    /// search. L is diagonal, L_ab = h_a + h_b. The matrix of 1/√(h_a + h_b) is positive semidefinite, so this map too
    /// keeps the order and has a positive semidefinite top eigenmatrix.
    ///
    /// # Errors
    /// [`StabilityError::Overflow`] if the numbers leave the range of f64.
    pub fn critical_lr(&self, noise: BatchNoise, solver: &Solver) -> Result<(f64, TopEigenvalue), StabilityError> {
        let h = &self.spectrum;
        let root = DMatrix::from_fn(h.len(), h.len(), |a, b| (h[a] + h[b]).sqrt().recip());
        let scaled =
            |moment: &DMatrix<f64>| self.noisy_product(&moment.component_mul(&root), noise).component_mul(&root);
        let mut top = self.top(scaled, |_, residual| residual, solver)?;
        top.residual *= top.value.max(1.0) / top.value;
        Ok((1.0 / (top.value * self.scale), top))
    }

    /// max |1 − ηhₐ|²: the growth factor of gradient descent.
    pub fn gd_growth(&self, lr: f64) -> f64 {
        self.spectrum.iter().map(|h| (1.0 - lr * self.scale * h).powi(2)).fold(0.0, f64::max)
    }

    /// 2/λ₁(H).
    pub fn gd_critical_lr(&self) -> f64 {
        2.0 / self.scale
    }

    /// Q(M) = (1 − d) H M H + c V(M) with V(M) = (1/n) Fᵀ blockdiag(Fᵢ M Fᵢᵀ) F, in units of scale².
    fn noisy_product(&self, moment: &DMatrix<f64>, noise: BatchNoise) -> DMatrix<f64> {
        let h = &self.spectrum;
        let rank = h.len();
        let mut product = DMatrix::zeros(rank, rank);
        if noise.samples > 0.0 {
            let mut images = moment * &self.columns; // M Fᵀ, then Fᵢᵀ (Fᵢ M Fᵢᵀ) sample by sample.
            let width = self.rows_per_sample;
            let mut block = DMatrix::zeros(width, width);
            for first in (0..images.ncols()).step_by(width) {
                let sample = self.columns.columns(first, width);
                let mut image = images.columns_mut(first, width);
                block.gemm_tr(1.0, &sample, &image, 0.0);
                image.gemm(1.0, &sample, &block, 0.0);
            }
            let n = (images.ncols() / width) as f64;
            product.gemm(noise.samples / n, &images, &self.rows, 0.0);
        }
        for ((a, b), x) in indexed(&mut product) {
            *x += (1.0 - noise.pairs) * h[a] * h[b] * moment[(a, b)];
        }
        product
    }

    /// Largest eigenvalue of a map of symmetric `[r, r]` matrices, started from the identity.
    fn top(
        &self,
        map: impl Fn(&DMatrix<f64>) -> DMatrix<f64>,
        precondition: impl Fn(f64, DMatrix<f64>) -> DMatrix<f64>,
        solver: &Solver,
    ) -> Result<TopEigenvalue, StabilityError> {
        let rank = self.rank();
        let start = pack(&DMatrix::identity(rank, rank));
        let apply = |x: &DVector<f64>| pack(&map(&unpack(x, rank)));
        top_eigenvalue(start, apply, |value, x| pack(&precondition(value, unpack(&x, rank))), solver)
    }
}

fn check_lr(lr: f64) -> Result<(), StabilityError> {
    match lr > 0.0 && lr.is_finite() {
        true => Ok(()),
        false => Err(StabilityError::LearningRate(lr)),
    }
}

/// Entries of a square matrix with their places.
fn indexed(matrix: &mut DMatrix<f64>) -> impl Iterator<Item = ((usize, usize), &mut f64)> {
    let rows = matrix.nrows();
    matrix.iter_mut().enumerate().map(move |(k, x)| ((k % rows, k / rows), x))
}

/// The lower triangle as a vector, off-diagonal entries times √2, so that the inner product is kept.
fn pack(matrix: &DMatrix<f64>) -> DVector<f64> {
    let rank = matrix.nrows();
    let mut packed = Vec::with_capacity(rank * (rank + 1) / 2);
    for b in 0..rank {
        packed.push(matrix[(b, b)]);
        packed.extend((b + 1..rank).map(|a| matrix[(a, b)] * std::f64::consts::SQRT_2));
    }
    packed.into()
}

/// The symmetric matrix of [`pack`].
fn unpack(packed: &DVector<f64>, rank: usize) -> DMatrix<f64> {
    let mut matrix = DMatrix::zeros(rank, rank);
    let mut entries = packed.iter();
    for b in 0..rank {
        for a in b..rank {
            let x = entries.next().copied().unwrap_or(0.0);
            let x = if a == b { x } else { x * std::f64::consts::FRAC_1_SQRT_2 };
            matrix[(a, b)] = x;
            matrix[(b, a)] = x;
        }
    }
    matrix
}
