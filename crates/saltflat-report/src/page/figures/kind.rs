//! What a kind of figure says of itself to be read from TOML.

use saltflat_config::Section;

use crate::page::contents::Figure;

/// Implemented by the list of kinds alone: a kind that is not in it does not compile.
pub trait Listed {}

/// A kind of figure that a table can name.
pub trait FigureKind: Figure + Listed + Sized {
    /// Its name in TOML.
    const NAME: &'static str;
    /// The keys of a small valid figure of this kind, without `kind`.
    const EXAMPLE: &'static str;

    /// Reads its keys. A problem is noted in the section, and a default stands in its place.
    fn read(section: &mut Section) -> Self;
}
