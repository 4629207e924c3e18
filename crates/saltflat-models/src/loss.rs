//! Losses of the outputs, their jets and their derivatives.

use std::fmt;

use burn::tensor::{Tensor, activation};
use saltflat_config::named_enum;
use serde::{Deserialize, Serialize};

use crate::jet::{Jet, for_each_direction};

named_enum! {
    /// Shape of the per-sample loss ℓ(f, q) of outputs f and a target q, both `[C]`.
    #[derive(Deserialize)]
    pub enum LossKind {
        /// −Σ_c q_c log softmax(f)_c.
        CrossEntropy = "cross_entropy",
        /// ½ Σ_c (f_c − q_c)².
        Square = "square",
    }
}

/// A loss with label smoothing s: the target of a sample with label y is q = 1 − s on y and s/(C−1) on every other
/// class, and the loss is given less its minimum over f (its [floor](Self::floor)), so that 0 is the smallest
/// possible value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Loss {
    /// Cross-entropy or square loss.
    pub kind: LossKind,
    /// s; 0 for none.
    pub smoothing: f64,
}

/// Smoothings that differ by no more are one: a probability of flips and the smoothing that it implies differ in rounding.
const SAME_SMOOTHING: f64 = 1e-12;

/// As in configurations: `cross_entropy with smoothing 0.2`.
impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.smoothing {
            0.0 => f.write_str(self.kind.name()),
            smoothing => write!(f, "{} with smoothing {smoothing}", self.kind.name()),
        }
    }
}

impl Loss {
    /// The smoothing s = ε (C − 1)/C of C classes that gives the targets of PyTorch's `CrossEntropyLoss(label_smoothing = ε)`: the label with
    /// weight 1 − ε and all classes, the label among them, with ε/C each, so q = 1 − ε + ε/C = 1 − s on the label and ε/C = s/(C − 1) on
    /// every other class. PyTorch's value is not given less its minimum: it is that of this loss plus its [floor](Self::floor); gradients and
    /// Hessians are equal.
    ///
    /// ```
    /// use saltflat_models::{Loss, LossKind};
    ///
    /// let smoothing = Loss::smoothing_of_uniform(0.1, 10);
    /// assert!((smoothing - 0.09).abs() < 1e-15);
    /// let mut target = [0.0; 10];
    /// Loss { kind: LossKind::CrossEntropy, smoothing }.target(3, &mut target);
    /// assert!((target[3] - 0.91).abs() < 1e-6 && (target[0] - 0.01).abs() < 1e-7);
    /// ```
    pub fn smoothing_of_uniform(epsilon: f64, classes: usize) -> f64 {
        epsilon * (classes as f64 - 1.0) / classes as f64
    }

    /// True if both are the same loss, up to the rounding of the smoothing.
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.kind == other.kind && (self.smoothing - other.smoothing).abs() <= SAME_SMOOTHING
    }

    /// The target of class `label` among `classes`, written to `target`.
    pub fn target(&self, label: u32, target: &mut [f32]) {
        let [own, others] = self.target_values(target.len());
        target.fill(others as f32);
        target[label as usize] = own as f32;
    }

    /// The entry of a target of `classes` classes at the label, and every other one: 1 − s and s/(C−1).
    pub fn target_values(&self, classes: usize) -> [f64; 2] {
        [1.0 - self.smoothing, if classes > 1 { self.smoothing / (classes - 1) as f64 } else { 0.0 }]
    }

    /// min_f ℓ(f, q) for the smoothed target q of `classes` classes: the entropy of q for cross-entropy, 0 for the square
    /// loss.
    pub fn floor(&self, classes: usize) -> f64 {
        let s = self.smoothing;
        match self.kind {
            LossKind::Square => 0.0,
            LossKind::CrossEntropy if s == 0.0 || classes < 2 => 0.0,
            LossKind::CrossEntropy => {
                let inside = if s < 1.0 { -(1.0 - s) * (1.0 - s).ln() } else { 0.0 };
                let each = s / (classes - 1) as f64;
                // Of a subnormal s it may be 0, and x ln x goes to 0 with x.
                if each > 0.0 { inside - s * each.ln() } else { inside }
            }
        }
    }

    /// ℓ for each sample, `[batch, 1]`, from outputs and targets `[batch, C]`; the floor is not subtracted.
    pub fn value(&self, outputs: Tensor<2>, target: Tensor<2>) -> Tensor<2> {
        match self.kind {
            LossKind::CrossEntropy => (activation::log_softmax(outputs, 1) * target).sum_dim(1).neg(),
            LossKind::Square => (outputs - target).square().sum_dim(1).mul_scalar(0.5),
        }
    }

    /// d/dt ℓ = ∇ℓ·ḟ for each direction and sample, `[K · batch, 1]`: differentiable, and its gradient is the Hessian-vector product. Zero
    /// coefficients are absent.
    pub fn first(&self, outputs: &Jet<2>, target: Tensor<2>) -> Option<Tensor<2>> {
        let first = outputs.first.clone()?;
        let gradient = self.gradient(outputs.value.clone(), target);
        Some((for_each_direction(&gradient, &first) * first).sum_dim(1))
    }

    /// ḟᵀ A ḟ with A = ∇²ℓ, for each direction and sample, `[K · batch, 1]`: vᵀ(JᵀAJ)v, the Gauss–Newton part of vᵀHv,
    /// from a pass of order 1 with no backward pass.
    pub fn gauss_newton(&self, outputs: &Jet<2>) -> Option<Tensor<2>> {
        let first = outputs.first.clone()?;
        Some(match self.kind {
            LossKind::CrossEntropy => {
                let p = for_each_direction(&activation::softmax(outputs.value.clone(), 1), &first);
                let mean = (p.clone() * first.clone()).sum_dim(1);
                (p * (first - mean).square()).sum_dim(1)
            }
            LossKind::Square => first.square().sum_dim(1),
        })
    }

    /// A ḟ, for one direction, `[batch, C]`: the cotangent whose backward pass makes the Gauss–Newton product JᵀAJv.
    pub fn curvature_times(&self, outputs: Tensor<2>, first: Tensor<2>) -> Tensor<2> {
        match self.kind {
            LossKind::CrossEntropy => {
                let p = activation::softmax(outputs, 1);
                let mean = (p.clone() * first.clone()).sum_dim(1);
                p * (first - mean)
            }
            LossKind::Square => first,
        }
    }

    /// d²/dt² ℓ = ∇ℓ·f̈ + ḟᵀ A ḟ, for each direction and sample, `[K · batch, 1]`: vᵀHv without a backward pass.
    pub fn second(&self, outputs: &Jet<2>, target: Tensor<2>) -> Option<Tensor<2>> {
        let curvature = self.gauss_newton(outputs)?;
        Some(match outputs.second.clone() {
            None => curvature,
            Some(second) => {
                let gradient = self.gradient(outputs.value.clone(), target);
                curvature + (for_each_direction(&gradient, &second) * second).sum_dim(1)
            }
        })
    }

    /// ∇_f ℓ `[batch, C]`: softmax(f) − q or f − q.
    pub fn gradient(&self, outputs: Tensor<2>, target: Tensor<2>) -> Tensor<2> {
        match self.kind {
            LossKind::CrossEntropy => activation::softmax(outputs, 1) - target,
            LossKind::Square => outputs - target,
        }
    }

    /// ∇_f ℓ of one sample on the host, in f64.
    pub fn gradient_of_sample(&self, outputs: &[f64], target: &[f64]) -> Vec<f64> {
        let prediction = match self.kind {
            LossKind::CrossEntropy => softmax(outputs),
            LossKind::Square => outputs.to_vec(),
        };
        prediction.iter().zip(target).map(|(f, q)| f - q).collect()
    }

    /// ℓ of one sample on the host, in f64, without the floor.
    pub fn value_of_sample(&self, outputs: &[f64], target: &[f64]) -> f64 {
        match self.kind {
            LossKind::CrossEntropy => {
                let max = outputs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let log_sum = max + outputs.iter().map(|f| (f - max).exp()).sum::<f64>().ln();
                outputs.iter().zip(target).map(|(f, q)| q * (log_sum - f)).sum()
            }
            LossKind::Square => outputs.iter().zip(target).map(|(f, q)| 0.5 * (f - q).powi(2)).sum(),
        }
    }

    /// A root M of A = ∇²_f ℓ of one sample, A = MᵀM, row-major C × C: the rows of M J are the Gauss–Newton rows. For the
    /// square loss the identity; for cross-entropy M = diag √p − √p pᵀ.
    pub fn hessian_root_of_sample(&self, outputs: &[f64]) -> Vec<f64> {
        let classes = outputs.len();
        let p = softmax(outputs);
        let mut root = vec![0.0; classes * classes];
        for c in 0..classes {
            for d in 0..classes {
                let diagonal = f64::from(u8::from(c == d));
                root[c * classes + d] = match self.kind {
                    LossKind::CrossEntropy => p[c].sqrt() * (diagonal - p[d]),
                    LossKind::Square => diagonal,
                };
            }
        }
        root
    }
}

fn softmax(outputs: &[f64]) -> Vec<f64> {
    let max = outputs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let exp: Vec<f64> = outputs.iter().map(|f| (f - max).exp()).collect();
    let sum: f64 = exp.iter().sum();
    exp.into_iter().map(|e| e / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMOOTHED: Loss = Loss { kind: LossKind::CrossEntropy, smoothing: 0.2 };

    /// C = 10, s = 0.2: 0.939848 (Damian et al.'s setting, by hand: −0.8 ln 0.8 − 0.2 ln(0.2/9)).
    #[test]
    fn floor_of_the_smoothed_loss_is_the_entropy_of_the_target() {
        assert!((SMOOTHED.floor(10) - 0.939_848).abs() < 1e-6);
        let mut q = [0.0; 10];
        SMOOTHED.target(3, &mut q);
        let q: Vec<f64> = q.iter().map(|&q| f64::from(q)).collect();
        let at_minimum: Vec<f64> = q.iter().map(|q| q.ln()).collect();
        assert!((SMOOTHED.value_of_sample(&at_minimum, &q) - SMOOTHED.floor(10)).abs() < 1e-6);
        assert_eq!(Loss { smoothing: 0.0, ..SMOOTHED }.floor(10), 0.0);
        assert_eq!(Loss { kind: LossKind::Square, smoothing: 0.2 }.floor(10), 0.0);
    }

    #[test]
    fn root_of_the_output_hessian() {
        let f = [0.3, -1.2, 2.0];
        let root = SMOOTHED.hessian_root_of_sample(&f);
        let p = softmax(&f);
        for a in 0..3 {
            for b in 0..3 {
                let square: f64 = (0..3).map(|c| root[c * 3 + a] * root[c * 3 + b]).sum();
                let exact = if a == b { p[a] } else { 0.0 } - p[a] * p[b];
                assert!((square - exact).abs() < 1e-15);
            }
        }
    }

    #[test]
    fn gradient_is_the_derivative() {
        let (f, q) = ([0.3, -1.2, 2.0], [0.8, 0.1, 0.1]);
        for kind in [LossKind::CrossEntropy, LossKind::Square] {
            let loss = Loss { kind, smoothing: 0.2 };
            let gradient = loss.gradient_of_sample(&f, &q);
            for c in 0..3 {
                let at = |h: f64| {
                    let mut f = f;
                    f[c] += h;
                    loss.value_of_sample(&f, &q)
                };
                assert!(((at(1e-5) - at(-1e-5)) / 2e-5 - gradient[c]).abs() < 1e-9);
            }
        }
    }
}
