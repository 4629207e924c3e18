//! What every folder of results has: files that are whole or absent, a lock that ends with its process, a status, and where
//! its numbers come from. Also the reader of the text files that a person wrote.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod file;
mod locked;
pub mod metric;
mod provenance;
mod read;
mod sha256;
mod status;
mod text;

pub use file::{
    FolderError, append, is_temporary, now, open_to_append, remove_temporary, set_aside, write, write_json, write_named,
};
pub use locked::LockedFolder;
pub use provenance::provenance;
pub use read::{open_regular, read_at_most, read_if_there, read_regular};
pub use sha256::{sha256_hex, sha256_of_file};
pub use status::{RunState, Status, is_taken, lock, take};
pub use text::{is_control, read_text};

/// Version of the layout and of the JSON in it.
pub const SCHEMA: u32 = 1;
