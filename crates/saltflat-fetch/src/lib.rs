#![doc = include_str!("../README.md")]
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
pub use get::{Fetched, get};
pub use options::{Options, Source};
pub use progress::{NoProgress, Progress};
pub use saltflat_data::{Archive, Layout, Package, Packing};
pub use sets::{OfficialSet, sets};
