//! What can be wrong with a network or its weights.

use std::path::PathBuf;

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A choice that makes no network.
    #[error("{key}: expected {expected}, got {got}")]
    Config {
        /// Key in the configuration.
        key: String,
        /// What would do.
        expected: String,
        /// What was there.
        got: String,
    },
    /// A weights file that cannot be read.
    #[error("{path}: {reason}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What happened.
        reason: String,
    },
    /// Weights of another network.
    #[error("{path} does not fit the network: {differences}", path = path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// The first tensors that differ.
        differences: String,
    },
}

impl ModelError {
    /// A choice that makes no network: what its key expects, and what it got.
    pub fn config(key: &str, expected: impl Into<String>, got: impl ToString) -> Self {
        Self::Config { key: key.into(), expected: expected.into(), got: got.to_string() }
    }
}
