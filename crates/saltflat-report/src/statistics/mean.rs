//! Middle values, ends and means with their errors.

/// The middle value, or the mean of the two middle ones.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    match n {
        0 => None,
        _ if n % 2 == 1 => Some(sorted[n / 2]),
        _ => Some(sorted[n / 2 - 1] / 2.0 + sorted[n / 2] / 2.0),
    }
}

/// Smallest and largest value.
pub fn extremes(values: &[f64]) -> Option<(f64, f64)> {
    let ends = values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &v| (l.min(v), h.max(v)));
    (!values.is_empty()).then_some(ends)
}

/// A mean with its standard error, and how many values it is of.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Mean {
    /// (1/n) Σ xᵢ.
    pub mean: f64,
    /// √(Σ (xᵢ − mean)² / (n (n − 1))); `None` for a single value, 0 if all are equal.
    pub std_error: Option<f64>,
    /// Number of values.
    pub n: usize,
}

impl Mean {
    /// The mean of these values; `None` if there is none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len();
        if n == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
        let error = (squares / (n as f64 * (n as f64 - 1.0))).sqrt();
        // The rounding of the mean is no scatter.
        let std_error = (n > 1).then_some(if error <= 1e-12 * mean.abs() { 0.0 } else { error });
        Some(Self { mean, std_error, n })
    }

    /// Whether it is of several values that are all equal, up to rounding: then they say nothing of how certain it is.
    pub fn all_equal(&self) -> bool {
        self.std_error == Some(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: Option<f64>, b: f64) {
        let a = a.unwrap();
        assert!((a - b).abs() <= 1e-12 * b.abs().max(1.0), "{a} {b}");
    }

    #[test]
    fn middles_and_ends() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!((median(&[]), extremes(&[]), Mean::of(&[])), (None, None, None));
        assert_eq!(extremes(&[3.0, -1.0, 2.0]), Some((-1.0, 3.0)));
    }

    /// Deviations of 1, 2, 3, 4 from 2.5 have the squares 2.25, 0.25, 0.25, 2.25: √(5 / (4 · 3)).
    #[test]
    fn the_error_of_a_mean() {
        let mean = Mean::of(&[1.0, 2.0, 3.0, 4.0]).unwrap();
        assert_eq!((mean.mean, mean.n), (2.5, 4));
        close(mean.std_error, (5.0f64 / 12.0).sqrt());
        assert_eq!(Mean::of(&[7.0]).unwrap().std_error, None);
        // The mean of three times 0.1 is 0.10000000000000002.
        let equal = Mean::of(&[0.1, 0.1, 0.1]).unwrap();
        assert!(equal.all_equal() && !mean.all_equal() && !Mean::of(&[7.0]).unwrap().all_equal());
    }
}
