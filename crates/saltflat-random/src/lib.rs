#![doc = include_str!("../README.md")]

mod box_muller;
mod draw_kind;
#[cfg(feature = "gpu")]
mod gpu;
mod key;
mod like;
mod stream;

pub use key::Key;
pub use stream::Stream;
