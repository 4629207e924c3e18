//! R in one dimension, its series, and R at the edge of stability.

/// −½ log(1 − ηl/2): λR(l) in units of σ²/B.
pub(super) fn in_one_dimension(eta_l: f64) -> f64 {
    -0.5 * (-eta_l / 2.0).ln_1p()
}

/// The first terms of its series, ½ Σⱼ (ηl/2)ʲ/j: ηl/4 + (ηl)²/16 + (ηl)³/48 + …
pub(super) fn series(eta_l: f64, terms: i32) -> f64 {
    (1..=terms).rev().map(|j| 0.5 * (eta_l / 2.0).powi(j) / f64::from(j)).sum()
}

/// η = (2 − ν)/λ₁ and R(θ) = −(1/2η) Σ log(1 − ηλᵢ/2), where 1 − ηλᵢ/2 = (1 − λᵢ/λ₁) + (ν/2) λᵢ/λ₁ loses no digit.
pub(super) fn at_the_edge(eigenvalues: &[f64], nu: f64) -> (f64, f64) {
    let largest = eigenvalues.iter().copied().fold(0.0, f64::max);
    let eta = (2.0 - nu) / largest;
    let log = |value: &f64| ((1.0 - value / largest) + nu / 2.0 * (value / largest)).ln();
    (eta, -eigenvalues.iter().map(log).sum::<f64>() / (2.0 * eta))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// −½ log ¾, −½ log ½ and −½ log ¼ at ηl = ½, 1, 3/2.
    #[test]
    fn one_dimension_by_hand() {
        let log_2 = std::f64::consts::LN_2;
        for (eta_l, exact) in [(0.5, log_2 - 0.5 * 3f64.ln()), (1.0, 0.5 * log_2), (1.5, log_2)] {
            assert!((in_one_dimension(eta_l) - exact).abs() < 1e-15);
            assert!((series(eta_l, 400) - exact).abs() < 1e-15);
        }
        assert!((series(0.2, 3) - (0.05 + 0.0025 + 0.008 / 48.0)).abs() < 1e-16);
    }

    /// Far from the edge it is the plain formula; −(1/2η)(log ½ + log ¾) at η = ½ and eigenvalues 2 and 1 (ν = 1).
    #[test]
    fn the_edge_by_hand() {
        let (eta, r) = at_the_edge(&[1.0, 2.0], 1.0);
        assert_eq!(eta, 0.5);
        assert!((r + 0.5f64.ln() + 0.75f64.ln()).abs() < 1e-15);
        // Of the largest alone: λ₁/(2(2 − ν)) · log(2/ν), for any ν.
        let (_, r) = at_the_edge(&[3.0], 1e-80);
        assert!((r - 0.75 * (2.0f64.ln() + 80.0 * 10f64.ln())).abs() < 1e-11);
    }
}
