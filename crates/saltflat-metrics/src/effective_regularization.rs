//! How strongly label noise regularizes: λ of Damian, Ma, Lee 2021.
//!
//! SGD with label noise follows, near a minimum of L, gradient descent on L̃ = L + λR (theorems 1 and 2, with heavy-ball momentum β
//! lemma 4), where
//!
//! λ = ησ²/(B(1−β)), R(θ) = −((1+β)/(2ηα)) tr log(I − η/(2(1+β)) H).
//!
//! (λ: equation 6 of the NeurIPS version, 13 of the arXiv version. R: equation 11 for the α of classification losses, equation 13
//! for β, with the minus sign that the paper lacks; both together by the scaling of appendix E.1, which divides the loss by α and
//! multiplies η by it.) At β = 0 λ is ησ²/B, so momentum multiplies it by 1/(1−β).
//!
//! σ² is the variance of the drawn label's effect ε on the output gradient, ∇ℓ̂ᵢ − ∇ℓᵢ = ε∇fᵢ, at the minimum c of the expected
//! loss l̄ of an output, and α = l̄″(c) (equations 8 to 10 and table 1). Of the losses here:
//!
//! | loss, noise | σ² | α | σ²/α |
//! | --- | --- | --- | --- |
//! | square, real targets plus noise of variance s² (algorithm 1) | s² | 1 | s² |
//! | cross-entropy, two classes, flips with probability p (logistic loss of f = f₁ − f₀) | p(1−p) | p(1−p) | 1 |
//! | cross-entropy, more classes, flips of any kind with mean q | - | - | 1 |
//!
//! With more than two classes the covariance of ε is the matrix diag q − qqᵀ, and the paper has no σ². But this matrix is also the
//! Hessian of the expected loss in the outputs at its minimum, so the gradient noise of a batch has the covariance H/B there. A step
//! moves by noise of covariance η(η/B)H, as by that of section 3.1 with η/B in place of λ: its stationary covariance is
//! S = (η/B)(2 − ηH)⁻¹ (equation 176 for arbitrary noise), and its drift ½∇³L(S) is (η/B)∇R with the R of equation 1. So η/B is λ/α
//! with σ²/α = 1, as with two classes. Only this ratio enters L̃, since λR = (λ/α)·(αR), and αR has no α.
//!
//! The other losses of table 1 are those of the lab `binary-losses`.

use crate::{Estimate, Spectrum};

/// σ² and α of the noise on the labels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LabelNoiseScale {
    /// The square loss with noise of this variance on real targets: σ² is the variance, α = 1.
    RealTargets {
        /// Variance of the noise on a target.
        variance: f64,
    },
    /// Cross-entropy with labels of this many classes that are flipped.
    Flips {
        /// C.
        classes: usize,
        /// Probability that a label is wrong.
        probability: f64,
    },
}

impl LabelNoiseScale {
    /// σ², or why there is none.
    ///
    /// # Errors
    /// As [`alpha`](Self::alpha), to which it is equal for flips.
    pub fn variance(self) -> Result<f64, String> {
        match self {
            Self::RealTargets { variance } => Ok(variance),
            Self::Flips { .. } => self.alpha(),
        }
    }

    /// α, or why there is none.
    ///
    /// # Errors
    /// With more than two classes, with which the noise of an output gradient has no single variance, and as [`ratio`](Self::ratio).
    pub fn alpha(self) -> Result<f64, String> {
        match self {
            Self::RealTargets { .. } => Ok(1.0),
            Self::Flips { classes, .. } if classes > 2 => {
                Err(format!("sigma^2 and alpha are defined for two classes, not {classes}"))
            }
            Self::Flips { probability, .. } => self.ratio().map(|_| probability * (1.0 - probability)),
        }
    }

    /// σ²/α: at a minimum that fits every sample the covariance of the label noise in a sample's gradient is, in the mean over
    /// samples, this multiple of H.
    ///
    /// # Errors
    /// With labels that are certain: there is no noise, and the expected loss has no minimum.
    pub fn ratio(self) -> Result<f64, String> {
        match self {
            Self::RealTargets { variance } => Ok(variance),
            Self::Flips { classes, probability } => {
                let certain = probability <= 0.0 || classes < 2 || (classes == 2 && probability >= 1.0);
                if certain { Err("the labels are certain, so there is no label noise".into()) } else { Ok(1.0) }
            }
        }
    }
}

/// ησ²/(B(1−β)): λ for σ² = [`LabelNoiseScale::variance`], λ/α for σ²/α = [`LabelNoiseScale::ratio`]. η is the learning rate
/// without its schedule, β that of heavy-ball momentum.
pub fn effective_regularization(strength: Result<f64, String>, lr: f64, batch_size: usize, momentum: f64) -> Estimate {
    match strength {
        Ok(strength) => Estimate::exact(lr * strength / (batch_size as f64 * (1.0 - momentum))),
        Err(reason) => Estimate::absent(reason),
    }
}

/// R(θ) and its beginnings.
#[derive(Clone, Debug, PartialEq)]
pub struct Regularizer {
    /// R(θ); absent past the edge, where ηλ₁ ≥ 2(1 + β).
    pub value: Estimate,
    /// The first three terms of its series, ¼ tr(H + a H²/2 + a² H³/3) with a = η/(2(1+β)).
    pub series: Estimate,
}

/// R(θ) = −((1+β)/2η) tr log(I − η/(2(1+β)) H) (Damian, Ma, Lee 2021, equation 1 and, for momentum β, section 5.2, with the
/// minus sign that the paper's formula lacks; β = 0 is equation 1). `largest` is λ₁.
pub fn regularizer(spectrum: &Spectrum, largest: f64, lr: f64, momentum: f64) -> Regularizer {
    let a = lr / (2.0 * (1.0 + momentum));
    let largest = largest.max(spectrum.range().1);
    let series = spectrum.trace_of(|x| 0.25 * (x + a * x * x / 2.0 + a * a * x * x * x / 3.0));
    let value = match a * largest {
        edge if edge >= 1.0 => Estimate::absent(format!(
            "past the edge: lr · λ₁ = {:.4} is not below 2(1 + momentum) = {}",
            lr * largest,
            2.0 * (1.0 + momentum)
        )),
        _ => spectrum.trace_of(|x| -(1.0 - a * x).ln() / (4.0 * a)),
    };
    Regularizer { value, series }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Quadrature;

    /// Table 1's definitions for the logistic loss by differences: with l(x) = log(1 + e⁻ˣ) and l̄(x) = p l(−x) + (1−p) l(x),
    /// whose minimum is c = log((1−p)/p), σ² is the variance of the slope of l at ±c over the flips (equations 9 and 10) and α
    /// the curvature of l̄ at c.
    #[test]
    fn two_classes_are_the_logistic_loss() {
        let l = |x: f64| (-x).exp().ln_1p();
        for p in [0.05_f64, 0.2, 0.4] {
            let c = ((1.0 - p) / p).ln();
            let h = 1e-4;
            let slope = |x: f64| (l(x + h) - l(x - h)) / (2.0 * h);
            // d/dx l(x) and d/dx l(−x) at c, drawn with probabilities 1 − p and p, of mean 0.
            let (kept, flipped) = (slope(c), -slope(-c));
            let variance = (1.0 - p) * kept * kept + p * flipped * flipped;
            let smoothed = |x: f64| p * l(-x) + (1.0 - p) * l(x);
            let alpha = (smoothed(c + h) - 2.0 * smoothed(c) + smoothed(c - h)) / (h * h);
            assert!(((1.0 - p) * kept + p * flipped).abs() < 1e-8);
            let scale = LabelNoiseScale::Flips { classes: 2, probability: p };
            assert!((scale.variance().unwrap() - variance).abs() < 1e-7, "{p}: {scale:?} {variance}");
            assert!((scale.alpha().unwrap() - alpha).abs() < 1e-6, "{p}: {scale:?} {alpha}");
            assert_eq!(scale.ratio(), Ok(1.0));
        }
    }

    /// By hand: 0.1 · 0.5²/(20 · (1 − 0.9)) = 0.0125; 0.1 · 0.16/8 = 0.002.
    #[test]
    fn lambda_by_hand() {
        let noise = LabelNoiseScale::RealTargets { variance: 0.25 };
        for strength in [noise.variance(), noise.ratio()] {
            let found = effective_regularization(strength, 0.1, 20, 0.9).value.unwrap();
            assert!((found / 0.0125 - 1.0).abs() < 1e-14, "{found}");
        }
        let flips = LabelNoiseScale::Flips { classes: 2, probability: 0.2 };
        let found = effective_regularization(flips.variance(), 0.1, 8, 0.0).value.unwrap();
        assert!((found / 0.002 - 1.0).abs() < 1e-14, "{found}");
        assert_eq!(effective_regularization(flips.ratio(), 0.1, 8, 0.0).value, Some(0.1 / 8.0));
    }

    #[test]
    fn what_is_not_defined_says_why() {
        let many = LabelNoiseScale::Flips { classes: 10, probability: 0.2 };
        for undefined in [many.variance(), many.alpha()] {
            assert!(undefined.unwrap_err().contains("two classes, not 10"));
        }
        assert_eq!(many.ratio(), Ok(1.0));
        for (classes, probability) in [(10, 0.0), (2, 0.0), (2, 1.0), (1, 0.5)] {
            let certain = LabelNoiseScale::Flips { classes, probability };
            assert!(certain.ratio().unwrap_err().contains("certain"), "{certain:?}");
            assert!(effective_regularization(certain.variance(), 0.1, 8, 0.0).value.is_none());
        }
    }

    /// Two eigenvalues, known exactly: −(1/2η) Σ log(1 − ηλ/2) by hand at η = 0.5, λ = 2 and −1: −(log ½ + log 1.25) = 0.47.
    #[test]
    fn of_known_eigenvalues() {
        let spectrum = Spectrum {
            dimension: 2,
            deflated: vec![2.0, -1.0],
            probes: vec![Quadrature { nodes: Vec::new(), weights: Vec::new() }; 2],
        };
        let found = regularizer(&spectrum, 2.0, 0.5, 0.0);
        let exact = -(0.5_f64.ln() + 1.25_f64.ln());
        assert!((found.value.value.expect("below the edge") - exact).abs() < 1e-15);
        // ¼ (1 + ⅛·5 + (1/48)·7).
        let series = 0.25 * (1.0 + 5.0 / 8.0 + 7.0 / 48.0);
        assert!((found.series.value.expect("always") - series).abs() < 1e-15);
        let past = regularizer(&spectrum, 2.0, 1.0, 0.0).value;
        assert!(past.value.is_none() && past.reason.expect("says why").contains("past the edge"));
        assert!(regularizer(&spectrum, 2.0, 1.0, 0.9).value.value.is_some(), "momentum moves the edge to 3.8");
    }
}
