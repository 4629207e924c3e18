//! Who hears how it goes.

/// Hears how a set is fetched.
pub trait Listener {
    /// A line of talk.
    fn say(&self, text: &str);

    /// So many bytes of a file are here.
    fn progress(&self, file: &str, bytes: u64, of: u64);

    /// The file of [`progress`](Self::progress) is whole, or given up.
    fn end(&self);
}

/// Hears nothing.
pub struct Silent;

impl Listener for Silent {
    fn say(&self, _text: &str) {}

    fn progress(&self, _file: &str, _bytes: u64, _of: u64) {}

    fn end(&self) {}
}
