//! Kinds of a family, such as noises, architectures or figures.

/// A kind that a table can name by its key `kind`: an entry in the list of its family.
#[derive(Clone, Copy, Debug)]
pub struct Kind<R> {
    /// Its name in configurations.
    pub name: &'static str,
    /// The keys of a small valid configuration of this kind in TOML, without `kind`.
    pub example: &'static str,
    /// Reads its keys from the table; a function whose arguments the family chooses.
    pub read: R,
}
