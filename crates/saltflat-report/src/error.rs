//! What can be wrong with the runs of a page, or with its figures.

use std::path::PathBuf;

use saltflat_record::FolderError;

use crate::plot::PlotError;

/// Errors of reading runs and of drawing figures of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // The messages say what the fields are.
pub enum ReportError {
    /// A file of a run folder is missing or is not what it should be.
    #[error("{}: {reason}", path.display())]
    Run { path: PathBuf, reason: String },
    /// A figure of a page has nothing to show.
    #[error("{reason}")]
    Nothing { reason: String },
    /// A figure cannot be drawn.
    #[error(transparent)]
    Plot(#[from] PlotError),
}

impl From<FolderError> for ReportError {
    fn from(FolderError { path, reason }: FolderError) -> Self {
        Self::Run { path, reason }
    }
}
