//! Student's t distribution, for means over few seeds.

use statrs::function::beta::beta_reg;

/// P(|T| ≥ |t|) for `dof` ≥ 1 degrees of freedom: I_x(ν/2, ½) at x = ν/(ν + t²), or 1 − I_{1−x}(½, ν/2) if x is not small, since
/// each is exact if its argument is small.
pub fn two_sided_p(t: f64, dof: usize) -> f64 {
    let nu = dof.max(1) as f64;
    if !t.is_finite() {
        return if t.is_nan() { t } else { 0.0 };
    }
    let (small, large) = (nu / (nu + t * t), t * t / (nu + t * t));
    if !large.is_finite() || small <= 0.0 {
        0.0
    } else if small < 0.5 {
        beta_reg(nu / 2.0, 0.5, small)
    } else {
        1.0 - beta_reg(0.5, nu / 2.0, large)
    }
}

/// The t beyond which, on either side, lies the part `p` of the distribution: 12.7 for p = 0.05 and one degree of freedom.
pub fn critical_t(p: f64, dof: usize) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while two_sided_p(high, dof) > p && high < 1e300 {
        (low, high) = (high, 2.0 * high);
    }
    // Until the middle is one of the ends.
    loop {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            return middle;
        }
        if two_sided_p(middle, dof) > p {
            low = middle;
        } else {
            high = middle;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::PI;

    use super::*;

    /// SciPy's own error is of this size for thousands of degrees of freedom.
    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() <= 1e-11 * expected.abs(), "{found} {expected}");
    }

    /// With one degree of freedom T is Cauchy: P(|T| ≥ t) = (2/π) atan(1/t). With two, 1 − t/√(2 + t²).
    #[test]
    fn closed_forms() {
        for t in [1e-3_f64, 0.3, 1.0, 6.8, 1e4, 1e12] {
            close(two_sided_p(t, 1), 2.0 / PI * (1.0 / t).atan());
            // 1 − t/√(2 + t²) without its cancellation.
            let root = (2.0 + t * t).sqrt();
            close(two_sided_p(-t, 2), 2.0 / (root * (root + t)));
        }
        close(critical_t(0.05, 1), 1.0 / (0.025 * PI).tan());
        assert_eq!((two_sided_p(0.0, 5), two_sided_p(f64::INFINITY, 5)), (1.0, 0.0));
        assert!(two_sided_p(f64::NAN, 5).is_nan());
    }

    /// scripts/reference/statistics.py (scipy.stats.t).
    #[test]
    fn probabilities_and_quantiles_are_those_of_scipy() {
        for (t, dof, p) in TWO_SIDED {
            close(two_sided_p(t, dof), p);
        }
        for (dof, t) in CRITICAL {
            close(critical_t(0.05, dof), t);
        }
    }

    const TWO_SIDED: [(f64, usize, f64); 11] = [
        (0.5, 1, 0.7048327646991335),
        (6.842105263157895, 1, 0.0923902861865765),
        (4.302652729911275, 2, 0.04999999999651663),
        (1.0, 3, 0.3910022189557705),
        (-2.5, 4, 0.06676654481198814),
        (12.0, 4, 0.000276428548502973),
        (0.01, 9, 0.9922394455363253),
        (3.25, 10, 0.008720492721411927),
        (60.0, 19, 3.976061684707285e-23),
        (1.96, 199, 0.05139183390416014),
        (0.3, 9999, 0.7641833918529469),
    ];
    const CRITICAL: [(usize, f64); 8] = [
        (1, 12.706204736174694),
        (2, 4.302652729749462),
        (3, 3.1824463052837078),
        (4, 2.7764451051977934),
        (9, 2.262157162798205),
        (19, 2.0930240544083087),
        (199, 1.9719565442517533),
        (9999, 1.960201263621357),
    ];
}
