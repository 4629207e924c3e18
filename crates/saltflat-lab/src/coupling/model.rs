//! A quadratically parametrised model with all its derivatives in closed form.

use nalgebra::{DMatrix, DVector};
use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};

/// fᵢ(θ) = ⟨θ∘θ, xᵢ⟩ with L = (1/2n) Σ (fᵢ − yᵢ)².
#[derive(Clone, Debug)]
pub(super) struct Model {
    /// Inputs, `[n, d]`.
    x: DMatrix<f64>,
    y: DVector<f64>,
    /// M = XᵀX/n.
    m: DMatrix<f64>,
}

impl Model {
    /// Normal inputs, and a minimiser θ* with entries uniform in (½, 1½) for which L(θ*) = 0 to the last bit. Inputs are scaled so
    /// that the largest eigenvalue of ∇²L(θ*) is 1.
    pub fn with_minimiser(d: usize, n: usize, rng: &mut impl Rng) -> (Self, DVector<f64>) {
        let x = DMatrix::from_fn(n, d, |_, _| StandardNormal.sample(rng));
        let theta = DVector::from_fn(d, |_, _| 0.5 + rng.random::<f64>());
        let largest = Self::fitted(x.clone(), &theta).hessian(&theta).symmetric_eigenvalues().max();
        let model = Self::fitted(x / largest.sqrt(), &theta);
        (model, theta)
    }

    /// The model whose labels are its values at θ.
    fn fitted(x: DMatrix<f64>, theta: &DVector<f64>) -> Self {
        let y = &x * theta.component_mul(theta);
        let m = x.tr_mul(&x) / x.nrows() as f64;
        Self { x, y, m }
    }

    /// n.
    pub fn samples(&self) -> usize {
        self.x.nrows()
    }

    /// fᵢ(θ) − yᵢ of one sample.
    pub fn residual(&self, i: usize, theta: &DVector<f64>) -> f64 {
        let terms = theta.iter().enumerate().map(|(k, value)| value * value * self.x[(i, k)]);
        terms.sum::<f64>() - self.y[i]
    }

    /// Adds `weight` ∇fᵢ(θ) = `weight` 2θ∘xᵢ.
    pub fn add_gradient(&self, i: usize, theta: &DVector<f64>, weight: f64, sum: &mut DVector<f64>) {
        for (k, (sum, value)) in sum.iter_mut().zip(theta).enumerate() {
            *sum += 2.0 * weight * value * self.x[(i, k)];
        }
    }

    fn residuals(&self, theta: &DVector<f64>) -> DVector<f64> {
        &self.x * theta.component_mul(theta) - &self.y
    }

    /// L(θ).
    #[cfg(test)]
    pub fn loss(&self, theta: &DVector<f64>) -> f64 {
        self.residuals(theta).norm_squared() / (2.0 * self.samples() as f64)
    }

    /// ∇L = (2/n) θ∘Xᵀr.
    pub fn gradient(&self, theta: &DVector<f64>) -> DVector<f64> {
        theta.component_mul(&self.x.tr_mul(&self.residuals(theta))) * (2.0 / self.samples() as f64)
    }

    /// G = (1/n) Σ ∇fᵢ∇fᵢᵀ = 4 θθᵀ∘M.
    pub fn gauss_newton(&self, theta: &DVector<f64>) -> DMatrix<f64> {
        DMatrix::from_fn(theta.len(), theta.len(), |k, l| 4.0 * theta[k] * theta[l] * self.m[(k, l)])
    }

    /// ∇²L = G + (2/n) diag(Xᵀr).
    pub fn hessian(&self, theta: &DVector<f64>) -> DMatrix<f64> {
        let mut hessian = self.gauss_newton(theta);
        let pulls = self.x.tr_mul(&self.residuals(theta));
        for (k, pull) in pulls.iter().enumerate() {
            hessian[(k, k)] += 2.0 / self.samples() as f64 * pull;
        }
        hessian
    }

    /// R(θ) = −(1/2η) tr log(I − (η/2)∇²L); `None` if ηλ₁ ≥ 2.
    pub fn regularizer(&self, theta: &DVector<f64>, lr: f64) -> Option<f64> {
        let factor = self.stability_factor(theta, lr)?.l();
        Some(-factor.diagonal().iter().map(|entry| entry.ln()).sum::<f64>() / lr)
    }

    /// ∇R = ¼ tr[A ∂∇²L] with A = (I − (η/2)∇²L)⁻¹, which is 2 (A∘M)θ + θ∘(M diag A); `None` if ηλ₁ ≥ 2.
    pub fn regularizer_gradient(&self, theta: &DVector<f64>, lr: f64) -> Option<DVector<f64>> {
        let a = self.stability_factor(theta, lr)?.inverse();
        Some(a.component_mul(&self.m) * theta * 2.0 + theta.component_mul(&(&self.m * a.diagonal())))
    }

    /// The Cholesky factor of I − (η/2)∇²L, which exists if ηλ₁ < 2.
    fn stability_factor(&self, theta: &DVector<f64>, lr: f64) -> Option<nalgebra::Cholesky<f64, nalgebra::Dyn>> {
        let d = theta.len();
        (DMatrix::identity(d, d) - self.hessian(theta) * (lr / 2.0)).cholesky()
    }
}

#[cfg(test)]
mod tests {
    use saltflat_random::{Key, Stream};

    use super::*;

    fn world() -> (Model, DVector<f64>, DVector<f64>) {
        let mut rng = Key::new(3, Stream::Lab, 0).rng();
        let (model, minimiser) = Model::with_minimiser(5, 3, &mut rng);
        let near = minimiser.map(|value| value + 0.1 * (rng.random::<f64>() - 0.5));
        (model, minimiser, near)
    }

    /// (f(θ + heₖ) − f(θ − heₖ))/2h.
    fn difference(of: impl Fn(&DVector<f64>) -> f64, theta: &DVector<f64>, k: usize) -> f64 {
        let h = 1e-5;
        let moved = |by: f64| DVector::from_fn(theta.len(), |j, _| theta[j] + if j == k { by } else { 0.0 });
        (of(&moved(h)) - of(&moved(-h))) / (2.0 * h)
    }

    /// By hand, one sample x = (1, 2), θ = (1, 1), y = 2: r = 1, L = ½, ∇L = (2, 4), ∇²L = 4(1 2; 2 4) + (2 0; 0 4).
    #[test]
    fn derivatives_by_hand() {
        let mut model = Model::fitted(DMatrix::from_row_slice(1, 2, &[1.0, 2.0]), &DVector::from_element(2, 1.0));
        model.y[0] = 2.0;
        let theta = DVector::from_element(2, 1.0);
        assert_eq!((model.loss(&theta), model.residual(0, &theta)), (0.5, 1.0));
        assert_eq!(model.gradient(&theta), DVector::from_vec(vec![2.0, 4.0]));
        assert_eq!(model.hessian(&theta), DMatrix::from_row_slice(2, 2, &[6.0, 8.0, 8.0, 20.0]));
        // det(I − ∇²L/20) = 0.7 · 0 − 0.16 < 0 at η = 0.1: past the edge. At 0.05: 0.85 · 0.5 − 0.04 = 0.385.
        assert!(model.regularizer(&theta, 0.1).is_none() && model.regularizer_gradient(&theta, 0.1).is_none());
        assert!((model.regularizer(&theta, 0.05).unwrap() + 10.0 * 0.385f64.ln()).abs() < 1e-13);
    }

    /// Central differences, error h² ~ 1e-10.
    #[test]
    fn derivatives_are_differences() {
        let (model, _, theta) = world();
        let (gradient, hessian) = (model.gradient(&theta), model.hessian(&theta));
        for lr in [0.01, 1.5] {
            let of_r = model.regularizer_gradient(&theta, lr).unwrap();
            for k in 0..theta.len() {
                let exact = difference(|theta| model.regularizer(theta, lr).unwrap(), &theta, k);
                assert!((of_r[k] - exact).abs() < 1e-7, "{lr} {k}: {} {exact}", of_r[k]);
                assert!((gradient[k] - difference(|theta| model.loss(theta), &theta, k)).abs() < 1e-8);
                for l in 0..theta.len() {
                    assert!((hessian[(k, l)] - difference(|theta| model.gradient(theta)[k], &theta, l)).abs() < 1e-8);
                }
            }
        }
    }

    #[test]
    fn the_minimiser_is_one() {
        let (model, minimiser, near) = world();
        assert!(model.loss(&minimiser) == 0.0 && model.loss(&near) > 1e-6);
        let eigenvalues = model.hessian(&minimiser).symmetric_eigenvalues();
        assert!((eigenvalues.max() - 1.0).abs() < 1e-12, "{eigenvalues}");
        assert_eq!(eigenvalues.iter().filter(|value| value.abs() < 1e-12).count(), 2, "d − n flat directions");
        assert!((0..3).all(|i| model.residual(i, &minimiser).abs() < 1e-14));
        // The mean of ∇fᵢ∇fᵢᵀ, sample by sample.
        let mut g = DMatrix::zeros(5, 5);
        for i in 0..3 {
            let mut row = DVector::zeros(5);
            model.add_gradient(i, &near, 1.0, &mut row);
            g += &row * row.transpose() / 3.0;
        }
        assert!((g - model.gauss_newton(&near)).amax() < 1e-15);
    }

    /// ηR → ¼ η tr ∇²L for small η: the next term is η²‖∇²L‖²/16.
    #[test]
    fn r_starts_as_a_quarter_of_the_trace() {
        let (model, _, theta) = world();
        let (lr, hessian) = (1e-6, model.hessian(&theta));
        let r = model.regularizer(&theta, lr).unwrap();
        assert!((r - 0.25 * hessian.trace()).abs() < lr * hessian.norm_squared() / 10.0 + 1e-9);
    }
}
