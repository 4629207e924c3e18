//! Metrics in words, and what a curve runs over.

pub use saltflat_record::metric::{DependsOn, depends_on};
pub(crate) use saltflat_record::metric::{headline_rank, words};

/// Words as a heading; a bare name stays as it is.
pub(crate) fn heading(words: String) -> String {
    let mut heading = words;
    let first = heading.split(' ').next().unwrap_or_default().len();
    if !heading[..first].contains('_')
        && let Some(letter) = heading.get_mut(..1)
    {
        letter.make_ascii_uppercase();
    }
    heading
}

/// What a curve runs over: `epoch`, `step`, or the name of a metric.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(from = "String")]
pub enum CurveAxis {
    /// Epochs made.
    #[default]
    Epoch,
    /// Steps made.
    Step,
    /// Another metric of the same row.
    Metric(String),
}

impl From<String> for CurveAxis {
    fn from(name: String) -> Self {
        match name.as_str() {
            "epoch" => CurveAxis::Epoch,
            "step" => CurveAxis::Step,
            _ => CurveAxis::Metric(name),
        }
    }
}

impl CurveAxis {
    /// The key in a row.
    pub(crate) fn name(&self) -> &str {
        match self {
            CurveAxis::Epoch => "epoch",
            CurveAxis::Step => "step",
            CurveAxis::Metric(name) => name,
        }
    }
}
