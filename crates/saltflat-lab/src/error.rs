//! What can be wrong with a lab.

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// There is no such lab.
    #[error("there is no lab {name}; expected one of {}", known.join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
        /// The labs that there are.
        known: Vec<&'static str>,
    },
    /// Everything that is wrong with the settings.
    #[error("{lab}: {}", problems.join("\n  "))]
    Settings {
        /// The lab.
        lab: &'static str,
        /// A line each, which begins with the key.
        problems: Vec<String>,
    },
}
