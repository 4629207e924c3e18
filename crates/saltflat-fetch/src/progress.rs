//! Progress callbacks.

/// Receives the progress of fetching a set.
pub trait Progress {
    /// A line for the person who waits.
    fn message(&self, text: &str);

    /// So many bytes of a file have arrived.
    fn advance(&self, file: &str, bytes: u64, of: u64);

    /// The file of [`advance`](Self::advance) is complete, or was given up.
    fn finish(&self);
}

/// Ignores everything.
pub struct NoProgress;

impl Progress for NoProgress {
    fn message(&self, _text: &str) {}

    fn advance(&self, _file: &str, _bytes: u64, _of: u64) {}

    fn finish(&self) {}
}
