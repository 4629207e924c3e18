//! The implicit regularizer of label-noise SGD.

use crate::{Estimate, Spectrum};

/// R(θ) and its beginnings.
#[derive(Clone, Debug, PartialEq)]
pub struct Regularizer {
    /// R(θ); absent past the edge of stability, that is if ηλ₁ ≥ 2(1 + β).
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
