//! What can be wrong with a figure or with the run folders it is made from.

use std::path::PathBuf;

use saltflat_record::FolderError;

/// Errors of this crate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlotError {
    /// No point of the figure has a place on its axes.
    #[error(
        "the figure \"{title}\" has nothing to draw: expected at least one {expected}, found {found} points and none fits"
    )]
    Empty {
        /// Title of the figure.
        title: String,
        /// What a point must be.
        expected: &'static str,
        /// Number of points given.
        found: usize,
    },
    /// The lower and upper ends of a series are not one pair a point.
    #[error(
        "the series \"{label}\" has {points} points but {ends} pairs of lower and upper ends; expected one pair a point"
    )]
    Spread {
        /// Label of the series.
        label: String,
        /// Number of points.
        points: usize,
        /// Number of pairs.
        ends: usize,
    },
    /// The values do not fill the grid of a contour figure.
    #[error(
        "the figure \"{title}\" needs a grid of at least 2 x 2 with one value a node; found {columns} columns, {rows} rows and {values} values"
    )]
    Grid {
        /// Title of the figure.
        title: String,
        /// Number of grid columns.
        columns: usize,
        /// Number of grid rows.
        rows: usize,
        /// Number of values.
        values: usize,
    },
    /// The grid lines of a contour figure are not finite or do not increase.
    #[error("the figure \"{title}\" needs increasing finite {axis} positions; found {found} at place {index}")]
    GridLine {
        /// Title of the figure.
        title: String,
        /// `x` or `y`.
        axis: &'static str,
        /// The offending position, as text.
        found: String,
        /// Its place, from 0.
        index: usize,
    },
    /// A file of a run folder is missing or is not what it should be.
    #[error("{}: {reason}", path.display())]
    Run {
        /// The file.
        path: PathBuf,
        /// What was expected and found.
        reason: String,
    },
    /// A figure of a page has nothing to show.
    #[error("{reason}")]
    Nothing {
        /// What was looked for, and where.
        reason: String,
    },
    /// The SVG could not be written.
    #[error("the figure could not be written as SVG: {reason}")]
    Svg {
        /// What the writer said.
        reason: String,
    },
}

impl From<FolderError> for PlotError {
    fn from(FolderError { path, reason }: FolderError) -> Self {
        Self::Run { path, reason }
    }
}
