//! What can be wrong with a network or its weights.

use std::path::PathBuf;

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // The fields are what the messages show.
pub enum ModelError {
    /// A choice that makes no network.
    #[error("{key}: expected {expected}, got {got}")]
    Config { key: String, expected: String, got: String },
    /// A weights file that cannot be read.
    #[error("{path}: {reason}", path = path.display())]
    File { path: PathBuf, reason: String },
    /// A map of names that does not suit the names in a weights file.
    #[error("{path}: rename: {reason}", path = path.display())]
    Rename { path: PathBuf, reason: String },
    /// Weights of another network.
    #[error("{path} does not fit the network: {differences}", path = path.display())]
    Weights { path: PathBuf, differences: String },
}

impl ModelError {
    /// A choice that makes no network: what its key expects, and what it got.
    pub fn config(key: &str, expected: impl Into<String>, got: impl ToString) -> Self {
        Self::Config { key: key.into(), expected: expected.into(), got: got.to_string() }
    }
}
