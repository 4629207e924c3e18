//! Differences of two groups at the same seeds, and Student's t distribution, for means over few seeds.

use statrs::function::beta::beta_reg;

use super::mean::Mean;

/// A mean of differences `first − second` of pairs, as a paired t test judges it.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Difference {
    /// (1/n) Σ dᵢ.
    pub mean: f64,
    /// Standard error of the mean; `None` for a single pair.
    pub std_error: Option<f64>,
    /// Number of pairs.
    pub n: usize,
    /// `mean ± t · std_error` with Student's t for n − 1 degrees of freedom: 95 % of such intervals hold the true mean, if
    /// the differences are normally distributed. `None` for a single pair, and if all differences are equal.
    pub interval_95: Option<[f64; 2]>,
    /// Two-sided p value of a paired t test against a mean of 0, absent as the interval is.
    pub p: Option<f64>,
}

impl Difference {
    /// The difference of these pairs; `None` if there is none.
    pub fn of(pairs: &[(f64, f64)]) -> Option<Self> {
        let mut mean = Mean::of(&pairs.iter().map(|(a, b)| a - b).collect::<Vec<_>>())?;
        // The difference of two large numbers is exact to their rounding, not to its own.
        let size = pairs.iter().fold(0.0f64, |size, (a, b)| size.max(a.abs()).max(b.abs()));
        mean.std_error = mean.std_error.map(|error| if error <= 1e-12 * size { 0.0 } else { error });
        let Mean { mean, std_error, n } = mean;
        let tested = std_error.filter(|error| *error > 0.0);
        let interval_95 = tested.map(|error| {
            let half = critical_t(0.05, n - 1) * error;
            [mean - half, mean + half]
        });
        Some(Self { mean, std_error, n, interval_95, p: tested.map(|error| two_sided_p(mean / error, n - 1)) })
    }

    /// Whether there are several and all are equal, up to rounding: they show no scatter to judge them by.
    pub fn all_equal(&self) -> bool {
        self.std_error == Some(0.0)
    }
}

/// P(|T| ≥ |t|) for `dof` ≥ 1 degrees of freedom: I_x(ν/2, ½) at x = ν/(ν + t²), or 1 − I_{1−x}(½, ν/2) if x is not small, since
/// each is exact where its argument is small.
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

    /// scripts/reference/report_statistics.py (scipy.stats.ttest_rel).
    #[test]
    fn paired_t_tests_are_those_of_scipy() {
        let group = [110.4, 97.25, 103.5, 120.125];
        let baseline = [99.0, 95.5, 101.0, 107.25];
        for (n, mean, error, interval, p) in [
            (2, 6.575, 4.825, [-54.732437852042935, 67.88243785204294], 0.4030302478314138),
            (3, 5.216666666666669, 3.0992382576655495, [-8.118279282821975, 18.55161261615531], 0.2343663215320055),
            (4, 7.13125, 2.910028905211539, [-2.1297607376592538, 16.392260737659257], 0.09163235778614179),
        ] {
            let pairs: Vec<(f64, f64)> = group.into_iter().zip(baseline).take(n).collect();
            let found = Difference::of(&pairs).unwrap();
            let [low, high] = found.interval_95.unwrap();
            for (found, expected) in [
                (found.mean, mean),
                (found.std_error.unwrap(), error),
                (low, interval[0]),
                (high, interval[1]),
                (found.p.unwrap(), p),
            ] {
                assert!((found - expected).abs() <= 1e-11 * expected.abs(), "n = {n}: {found} {expected}");
            }
            assert_eq!(found.n, n);
        }
    }

    /// 1.30 ± 0.19 of two seeds is 6.8 standard errors and has p = (2/π) atan(0.19/1.30) = 0.092.
    #[test]
    fn two_seeds_are_weak() {
        let found = Difference::of(&[(2.11, 1.0), (2.49, 1.0)]).unwrap();
        assert!((found.mean - 1.3).abs() < 1e-12 && (found.std_error.unwrap() - 0.19).abs() < 1e-12);
        assert!((found.p.unwrap() - 2.0 / PI * (0.19f64 / 1.3).atan()).abs() < 1e-12);
        assert!(found.interval_95.unwrap()[0] < 0.0);
    }

    #[test]
    fn without_scatter_nothing_is_tested() {
        for pairs in [&[(3.0, 1.0)][..], &[(3.0, 1.0), (4.0, 2.0)], &[(0.1 + 0.2, 0.3), (0.3, 0.3)]] {
            let found = Difference::of(pairs).unwrap();
            assert_eq!((found.interval_95, found.p, found.all_equal()), (None, None, pairs.len() > 1), "{pairs:?}");
        }
        assert_eq!(Difference::of(&[]), None);
    }

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

    /// scripts/reference/report_statistics.py (scipy.stats.t).
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
