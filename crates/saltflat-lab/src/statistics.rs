//! Means with their errors, for findings.

use std::fmt;

/// A mean with its standard error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Mean {
    /// (1/n) Σ xᵢ.
    pub mean: f64,
    /// √(Σ (xᵢ − mean)² / (n (n − 1))); `None` for a single value.
    pub std_error: Option<f64>,
}

impl Mean {
    /// Of values; `None` if there is none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let std_error = (values.len() > 1).then(|| (squares / (n * (n - 1.0))).sqrt());
        (!values.is_empty()).then_some(Self { mean, std_error })
    }
}

impl fmt::Display for Mean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.std_error {
            // Equal values have no scatter to estimate an error from.
            Some(error) if error > 1e-12 * self.mean.abs() => write!(f, "{} ± {}", short(self.mean), short(error)),
            Some(_) | None => write!(f, "{}", short(self.mean)),
        }
    }
}

/// From the least to the largest, in words.
pub(crate) fn range_in_words(values: &[f64]) -> Option<String> {
    let (low, high) = values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(*v), h.max(*v)));
    (!values.is_empty()).then(|| format!("{} to {}", short(low), short(high)))
}

/// Three significant digits.
pub(crate) fn short(value: f64) -> String {
    let size = value.abs();
    match size {
        _ if value == 0.0 => "0".into(),
        _ if !(1e-3..1e5).contains(&size) => format!("{value:.2e}"),
        _ => format!("{value:.*}", (2 - size.log10().floor() as i32).max(0) as usize),
    }
}

/// The middle value, or the mean of the two middle ones.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    (n > 0).then(|| (values[(n - 1) / 2] + values[n / 2]) / 2.0)
}

/// The straight line of least squares.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Line {
    /// Σ (xᵢ − x̄)(yᵢ − ȳ) / Σ (xᵢ − x̄)².
    pub slope: f64,
    /// Standard error of the slope.
    pub std_error: f64,
    /// Share of the variance of y that the line explains.
    pub explained: f64,
}

impl Line {
    /// Through these points; `None` for fewer than three, or if all x or all y are equal.
    pub fn fit(points: &[(f64, f64)]) -> Option<Self> {
        let n = points.len() as f64;
        let mean = |of: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
        let (x, y) = (mean(&|p| p.0), mean(&|p| p.1));
        let [xx, xy, yy] =
            [mean(&|p| (p.0 - x).powi(2)), mean(&|p| (p.0 - x) * (p.1 - y)), mean(&|p| (p.1 - y).powi(2))];
        if points.len() < 3 || xx <= 0.0 || yy <= 0.0 {
            return None;
        }
        let rest = (yy - xy * xy / xx).max(0.0);
        Some(Self { slope: xy / xx, std_error: (rest / xx / (n - 2.0)).sqrt(), explained: 1.0 - rest / yy })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Deviations of 1, 2, 3, 4 from 2.5 have the squares 2.25, 0.25, 0.25, 2.25: √(5 / (4 · 3)) = 0.6455.
    #[test]
    fn means() {
        assert_eq!(Mean::of(&[4.0, 1.0, 3.0, 2.0]).unwrap().to_string(), "2.50 ± 0.645");
        assert_eq!(Mean::of(&[7.0]).unwrap().to_string(), "7.00");
        assert_eq!(Mean::of(&[0.1, 0.1, 0.1]).unwrap().to_string(), "0.100");
        assert_eq!((Mean::of(&[]), range_in_words(&[])), (None, None));
        assert_eq!(range_in_words(&[0.5, -123.4, 2e-9]).unwrap(), "-123 to 0.500");
        assert_eq!([short(0.0), short(1e-21), short(0.00123), short(99_999.0)], ["0", "1.00e-21", "0.00123", "99999"]);
    }
}
