//! A number with its error.

use serde::Serialize;

/// One measured quantity.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Estimate {
    /// The value; absent where there is none, and then `reason` says why.
    pub value: Option<f64>,
    /// Standard error of the value over its probes; absent for what is computed exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub std_error: Option<f64>,
    /// Standard error of the value that comes from measuring on some of the samples and not on all; absent where it was not
    /// measured or there are no others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subset_error: Option<f64>,
    /// Number of random probes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probes: Option<usize>,
    /// Why there is no value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Estimate {
    /// A value without sampling error. A value that is not finite becomes an absent one.
    pub fn exact(value: f64) -> Self {
        if value.is_finite() {
            Self { value: Some(value), ..Self::default() }
        } else {
            Self::absent(format!("not finite ({value})"))
        }
    }

    /// The mean of independent probes, with its standard error.
    pub fn of_probes(probes: &[f64]) -> Self {
        let (mean, error) = mean_and_error(probes);
        Self { std_error: error, probes: Some(probes.len()), ..Self::exact(mean) }
    }

    /// √mean of independent probes of a square, its standard error by the delta method: se/(2√mean).
    pub fn root_of_probes(squares: &[f64]) -> Self {
        let (mean, error) = mean_and_error(squares);
        let root = mean.sqrt();
        let error = error.map(|e| if root > 0.0 { e / (2.0 * root) } else { 0.0 });
        Self { std_error: error, probes: Some(squares.len()), ..Self::exact(root) }
    }

    /// The mean of estimates on disjoint subsets of samples; the subset error is their standard deviation over √S.
    pub fn of_subsets(estimates: &[&Self]) -> Self {
        let values: Option<Vec<f64>> = estimates.iter().map(|estimate| estimate.value).collect();
        let Some(values) = values.filter(|values| !values.is_empty()) else {
            let reason = estimates.iter().find_map(|estimate| estimate.reason.clone());
            return Self::absent(reason.unwrap_or_else(|| "there is no subset".into()));
        };
        let (mean, error) = mean_and_error(&values);
        let errors: Option<Vec<f64>> = estimates.iter().map(|estimate| estimate.std_error).collect();
        let combined = errors.map(|errors| errors.iter().map(|e| e * e).sum::<f64>().sqrt() / values.len() as f64);
        Self { std_error: combined, subset_error: error, ..Self::exact(mean) }
    }

    /// The quantity times an exact number, with its errors.
    pub fn times(self, factor: f64) -> Self {
        let Some(value) = self.value else { return self };
        let error = |error: Option<f64>| error.map(|error| error * factor.abs());
        Self {
            std_error: error(self.std_error),
            subset_error: error(self.subset_error),
            probes: self.probes,
            ..Self::exact(value * factor)
        }
    }

    /// No value, and why.
    pub fn absent(reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), ..Self::default() }
    }
}

/// Mean and its standard error s/√K with s² the unbiased variance; no error for fewer than two numbers, NaN for none.
pub fn mean_and_error(values: &[f64]) -> (f64, Option<f64>) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    if values.len() < 2 {
        return (mean, None);
    }
    let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (mean, Some((variance / count).sqrt()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1, 2, 3, 4: mean 2.5, variance 5/3, error √(5/12).
    #[test]
    fn mean_and_standard_error() {
        let (mean, error) = mean_and_error(&[1.0, 2.0, 3.0, 4.0]);
        assert_eq!(mean, 2.5);
        assert!((error.expect("four values") - (5.0_f64 / 12.0).sqrt()).abs() < 1e-15);
        assert_eq!(mean_and_error(&[7.0]), (7.0, None));
        let root = Estimate::root_of_probes(&[1.0, 2.0, 3.0, 4.0]);
        assert_eq!(root.value, Some(2.5_f64.sqrt()));
        assert!(
            (root.std_error.expect("four values") - (5.0_f64 / 12.0).sqrt() / (2.0 * 2.5_f64.sqrt())).abs() < 1e-15
        );
    }

    #[test]
    fn what_is_not_finite_is_absent_with_a_reason() {
        let estimate = Estimate::exact(f64::NAN);
        assert_eq!(estimate.value, None);
        assert_eq!(estimate.reason.as_deref(), Some("not finite (NaN)"));
    }
}
