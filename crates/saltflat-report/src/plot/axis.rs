//! Axes and their scales.

/// How values lie along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scale {
    /// Equal steps for equal differences.
    #[default]
    Linear,
    /// Equal steps for equal ratios. Zero and negative values are left out.
    Log,
}

impl Scale {
    /// The value on the scale, log10 on a log one; `None` for what has no place on it.
    pub(crate) fn forward(self, value: f64) -> Option<f64> {
        match self {
            Scale::Linear => (value.abs() <= 1e300).then_some(value),
            Scale::Log => (value > 0.0 && value.is_finite()).then(|| value.log10()),
        }
    }
}

/// An axis of a figure.
#[derive(Debug, Clone, Default)]
pub struct Axis {
    /// What is measured, in words, with its unit.
    pub label: String,
    /// How values lie along it.
    pub scale: Scale,
    /// Names of the values 0, 1, 2, …, if they stand for names; empty for numbers.
    pub categories: Vec<String>,
}

impl Axis {
    /// A linear axis.
    pub fn linear(label: impl Into<String>) -> Self {
        Self { label: label.into(), ..Self::default() }
    }

    /// A logarithmic axis.
    pub fn log(label: impl Into<String>) -> Self {
        Self { label: label.into(), scale: Scale::Log, ..Self::default() }
    }

    /// An axis of names: the values 0, 1, 2, … stand for them.
    pub fn of_names(label: impl Into<String>, names: Vec<String>) -> Self {
        Self { label: label.into(), categories: names, ..Self::default() }
    }
}
