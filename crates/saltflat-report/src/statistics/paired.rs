//! Differences of two groups at the same seeds.

use super::mean::Mean;
use super::student::{critical_t, two_sided_p};

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

#[cfg(test)]
mod tests {
    use super::*;

    /// scripts/reference/statistics.py (scipy.stats.ttest_rel).
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
        assert!((found.p.unwrap() - 2.0 / std::f64::consts::PI * (0.19f64 / 1.3).atan()).abs() < 1e-12);
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
}
