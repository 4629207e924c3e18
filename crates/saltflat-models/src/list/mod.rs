//! Networks as lists of layers, with branches.
//!
//! A list is what `[model] kind = "layers"` reads, and what every architecture makes: there is one way to build a network.

mod build;
mod item;
mod read;

pub use build::build_list;
pub use item::{Item, ItemKind};
pub use read::{LIST_KINDS, read_list};
