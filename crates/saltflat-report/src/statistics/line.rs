//! Straight lines of least squares, and the growth of a mean.

use super::mean::Mean;

/// A least-squares line y = `intercept` + `slope` x.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    /// Σ (xᵢ − x̄)(yᵢ − ȳ) / Σ (xᵢ − x̄)².
    pub slope: f64,
    /// √(Σ (yᵢ − intercept − slope xᵢ)² / ((n − 2) Σ (xᵢ − x̄)²)); `None` for two points.
    pub std_error: Option<f64>,
    /// ȳ − slope x̄.
    pub intercept: f64,
    /// Number of points.
    pub n: usize,
}

impl Line {
    /// The line through these points; `None` for fewer than two points, if all x are equal, or if one is not finite.
    pub fn fit(points: &[(f64, f64)]) -> Option<Self> {
        let n = points.len() as f64;
        let (mx, my) = points.iter().fold((0.0, 0.0), |(a, b), p| (a + p.0 / n, b + p.1 / n));
        let xx: f64 = points.iter().map(|p| (p.0 - mx).powi(2)).sum();
        let slope = points.iter().map(|p| (p.0 - mx) * (p.1 - my)).sum::<f64>() / xx;
        let rest: f64 = points.iter().map(|p| (p.1 - my - slope * (p.0 - mx)).powi(2)).sum();
        let std_error = (points.len() > 2).then(|| (rest / ((n - 2.0) * xx)).sqrt());
        let line = Self { slope, std_error, intercept: my - slope * mx, n: points.len() };
        (points.len() > 1 && slope.is_finite()).then_some(line)
    }
}

/// Exponential growth of the mean over curves: the slope of ln((1/n) Σ yᵢ(x)) against x, by least squares over the x from
/// `from` to `to` that all curves have. The standard error is that of the delete-one jackknife over the curves (Efron and
/// Stein 1981), √((n−1)/n Σₖ (b₍ₖ₎ − b̄)²) with b₍ₖ₎ the slope without curve k; `None` for a single curve. `n` is the number of
/// curves.
///
/// `None` if fewer than two x are left, or the mean is not positive at one of them.
pub fn growth(curves: &[Vec<(f64, f64)>], from: f64, to: f64) -> Option<Mean> {
    let (first, others) = curves.split_first()?;
    let at = |curve: &[(f64, f64)], x: f64| curve.iter().find(|p| p.0 == x).map(|p| p.1);
    let shared: Vec<f64> = first
        .iter()
        .map(|p| p.0)
        .filter(|&x| (from..=to).contains(&x) && others.iter().all(|curve| at(curve, x).is_some()))
        .collect();
    let values: Vec<Vec<f64>> =
        curves.iter().map(|curve| shared.iter().filter_map(|&x| at(curve, x)).collect()).collect();
    let sums: Vec<f64> = (0..shared.len()).map(|i| values.iter().map(|of_curve| of_curve[i]).sum()).collect();
    let slope = |without: Option<&Vec<f64>>| {
        let left = |i: usize| sums[i] - without.map_or(0.0, |of_curve| of_curve[i]);
        let points: Vec<(f64, f64)> = shared.iter().enumerate().map(|(i, &x)| (x, left(i).ln())).collect();
        Line::fit(&points).map(|line| line.slope)
    };
    let n = curves.len();
    let without: Option<Vec<f64>> = values.iter().map(|of_curve| slope(Some(of_curve))).collect();
    let std_error = without.filter(|_| n > 1).and_then(|slopes| {
        // The standard error of their mean has 1/(n (n − 1)), the jackknife (n − 1)/n.
        Mean::of(&slopes)?.std_error.map(|error| error * (n as f64 - 1.0))
    });
    Some(Mean { mean: slope(None)?, std_error, n })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: Option<f64>, b: f64) {
        let a = a.unwrap();
        assert!((a - b).abs() <= 1e-12 * b.abs().max(1.0), "{a} {b}");
    }

    /// By hand: (0, 1), (1, 3), (2, 2), (3, 6) have x̄ = 1.5, ȳ = 3, Sxx = 5, Sxy = 7; the residuals 0.1, 0.7, −1.7, 0.9 have
    /// the squares' sum 4.2, and 4.2/(2 · 5) = 0.42.
    #[test]
    fn the_slope_of_a_line() {
        let line = Line::fit(&[(0.0, 1.0), (1.0, 3.0), (2.0, 2.0), (3.0, 6.0)]).unwrap();
        close(Some(line.slope), 1.4);
        close(Some(line.intercept), 0.9);
        close(line.std_error, 0.42f64.sqrt());
        let two = Line::fit(&[(1.0, 2.0), (3.0, 1.0)]).unwrap();
        assert_eq!((two.slope, two.std_error, two.n), (-0.5, None, 2));
        for points in [&[][..], &[(1.0, 1.0)], &[(1.0, 1.0), (1.0, 2.0)], &[(1.0, f64::NAN), (2.0, 1.0)]] {
            assert_eq!(Line::fit(points), None);
        }
    }

    /// y = c eᵇˣ grows by b whatever c is, so every curve left out leaves b, and the error is 0. Two curves with different
    /// rates and c = 1 at x = 0 and 1: ln of the mean grows by ln((eᵃ + eᵇ)/2); the jackknife has the slopes b and a, whose
    /// error is √(½ · 2 ((a − b)/2)²) = |a − b|/2.
    #[test]
    fn growth_of_a_mean() {
        let curve = |c: f64, rate: f64, n: i32| -> Vec<(f64, f64)> {
            (0..n).map(|i| (f64::from(i), c * (rate * f64::from(i)).exp())).collect()
        };
        let same = growth(&[curve(1.0, 0.3, 9), curve(5.0, 0.3, 7), curve(0.1, 0.3, 8)], 2.0, 100.0).unwrap();
        close(Some(same.mean), 0.3);
        assert!(same.std_error.unwrap() < 1e-14 && same.n == 3);
        let different = growth(&[curve(1.0, 0.2, 5), curve(1.0, 0.6, 5)], 0.0, 1.0).unwrap();
        close(Some(different.mean), ((0.2f64.exp() + 0.6f64.exp()) / 2.0).ln());
        close(different.std_error, 0.2);
        assert_eq!(growth(&[curve(1.0, 0.2, 5)], 0.0, 4.0).unwrap().std_error, None);
        assert_eq!(growth(&[curve(1.0, 0.2, 5)], 0.5, 1.5), None, "a single x");
        assert_eq!(growth(&[curve(-1.0, 0.2, 5)], 0.0, 4.0), None, "no logarithm");
        assert_eq!(growth(&[], 0.0, 4.0), None);
    }
}
