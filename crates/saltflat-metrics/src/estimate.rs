//! A number with its error.

use serde::Serialize;

/// One measured quantity: a finite value, or the reason why there is none. Made by its functions alone, so that a value is
/// never infinite or NaN, an error neither, and an absent value never without a reason.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Estimate {
    /// The value; absent if there is none, and then `reason` says why.
    pub value: Option<f64>,
    /// Standard error of the value over its probes; absent for what is computed exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub std_error: Option<f64>,
    /// Standard error of the value that comes from measuring on some of the samples and not on all; absent if it was not
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
            return Self { value: Some(value), std_error: None, subset_error: None, probes: None, reason: None };
        }
        Self::absent(match value.is_nan() {
            true => "not finite (NaN): a number from which it is computed overflowed, or is 0/0",
            false => "not finite: overflow, the value or a number from which it is computed is too large",
        })
    }

    /// `top`/`bottom`, of a `bottom` that is not negative; absent for the reason `zero` if `bottom` is 0, and if either
    /// has overflowed (so that x/∞ is not taken for 0).
    pub fn quotient(top: f64, bottom: f64, zero: &str) -> Self {
        match (top.is_finite() && bottom.is_finite(), bottom > 0.0) {
            (false, _) => Self::exact(if top.is_nan() || bottom.is_nan() { f64::NAN } else { f64::INFINITY }),
            (true, true) => Self::exact(top / bottom),
            (true, false) => Self::absent(zero),
        }
    }

    /// The mean of independent probes, with its standard error.
    pub fn of_probes(probes: &[f64]) -> Self {
        let (mean, error) = mean_and_error(probes);
        Self::exact(mean).with_std_error(error).with_probes(probes.len())
    }

    /// √mean of independent probes of a square, its standard error by the delta method: se/(2√mean).
    pub fn root_of_probes(squares: &[f64]) -> Self {
        let (mean, error) = mean_and_error(squares);
        let root = mean.sqrt();
        let error = error.map(|e| if root > 0.0 { e / (2.0 * root) } else { 0.0 });
        Self::exact(root).with_std_error(error).with_probes(squares.len())
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
        Self::exact(mean).with_std_error(combined).with_subset_error(error)
    }

    /// The quantity times an exact number, with its errors.
    pub fn times(self, factor: f64) -> Self {
        self.changed(|x| x * factor, |error| error * factor.abs())
    }

    /// The quantity over an exact number, with its errors.
    pub fn over(self, divisor: f64) -> Self {
        self.changed(|x| x / divisor, |error| error / divisor.abs())
    }

    fn changed(self, value: impl Fn(f64) -> f64, error: impl Fn(f64) -> f64) -> Self {
        let Some(old) = self.value else { return self };
        let changed = Self { probes: self.probes, ..Self::exact(value(old)) };
        changed.with_std_error(self.std_error.map(&error)).with_subset_error(self.subset_error.map(&error))
    }

    /// With this standard error; none if it is not finite or there is no value.
    pub fn with_std_error(self, error: Option<f64>) -> Self {
        let std_error = error.filter(|error| error.is_finite() && self.value.is_some());
        Self { std_error, ..self }
    }

    /// With this error of a subset; none if it is not finite or there is no value.
    pub fn with_subset_error(self, error: Option<f64>) -> Self {
        let subset_error = error.filter(|error| error.is_finite() && self.value.is_some());
        Self { subset_error, ..self }
    }

    /// From so many probes.
    pub fn with_probes(self, probes: usize) -> Self {
        Self { probes: Some(probes), ..self }
    }

    /// No value, and why.
    pub fn absent(reason: impl Into<String>) -> Self {
        let reason = Some(reason.into()).filter(|reason| !reason.is_empty());
        let reason = Some(reason.unwrap_or_else(|| "there is no value".into()));
        Self { value: None, std_error: None, subset_error: None, probes: None, reason }
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
        let wrong = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
        let made = wrong.into_iter().flat_map(|x| {
            [
                Estimate::exact(x),
                Estimate::of_probes(&[1.0, x]),
                Estimate::root_of_probes(&[1.0, x]),
                Estimate::exact(1.0).times(x),
                Estimate::exact(1.0).over(0.0 * x),
                Estimate::quotient(x, 1.0, "zero"),
                Estimate::quotient(1.0, x, "zero"),
                Estimate::of_subsets(&[&Estimate::exact(1.0), &Estimate::exact(x)]),
                Estimate::exact(x).with_std_error(Some(x)),
            ]
        });
        let empty = [Estimate::absent(""), Estimate::of_probes(&[]), Estimate::of_subsets(&[])];
        for estimate in made.chain(empty).chain([Estimate::exact(f64::MAX).times(2.0)]) {
            assert_eq!((estimate.value, estimate.std_error), (None, None), "{estimate:?}");
            assert!(estimate.reason.as_ref().is_some_and(|reason| !reason.is_empty()), "{estimate:?}");
        }
        assert_eq!(Estimate::quotient(1.0, 0.0, "zero").reason.as_deref(), Some("zero"));
        // An error that overflows alone is left out: JSON would make null of it.
        let spread = Estimate::of_probes(&[1e200, -1e200, 3.0]);
        assert!(spread.value.is_some() && spread.std_error.is_none(), "{spread:?}");
    }
}
