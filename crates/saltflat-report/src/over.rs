//! What a curve runs over.

/// What a curve runs over: `epoch`, `step`, or the name of a metric.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(from = "String")]
pub enum Over {
    /// Epochs made.
    #[default]
    Epoch,
    /// Steps made.
    Step,
    /// Another metric of the same row.
    Metric(String),
}

impl From<String> for Over {
    fn from(name: String) -> Self {
        match name.as_str() {
            "epoch" => Over::Epoch,
            "step" => Over::Step,
            _ => Over::Metric(name),
        }
    }
}

impl Over {
    /// The key in a row.
    pub(crate) fn name(&self) -> &str {
        match self {
            Over::Epoch => "epoch",
            Over::Step => "step",
            Over::Metric(name) => name,
        }
    }
}
