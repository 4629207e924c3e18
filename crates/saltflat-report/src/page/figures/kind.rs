//! What a kind of figure says of itself to be read from TOML.

use saltflat_config::{Listed, Section};

use crate::page::contents::Figure;

/// A kind of figure that a table can name.
pub trait FigureKind: Figure + Listed + Sized {
    /// Its name in TOML.
    const NAME: &'static str;
    /// The keys of a small valid figure of this kind, without `kind`.
    const EXAMPLE: &'static str;

    /// Reads its keys. A problem is noted in the section, and a default stands in its place.
    fn read(section: &mut Section) -> Self;
}
