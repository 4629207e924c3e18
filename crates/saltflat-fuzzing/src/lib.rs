//! Every reader of Saltflat as a function of bytes: the targets of `fuzz/` and, on their corpus and mutations of it, a test.
//!
//! A target panics where a reader breaks its word: what it accepts must be what the bytes say, and where there is a writer,
//! what is written must be read again as the same. What a reader refuses is fine.

mod checkpoints;
mod configurations;
mod data;
mod mutate;
mod reports;
mod scratch;
mod studies;

pub use checkpoints::{progress, state, weights};
pub use configurations::{config, examples, lab, lab_rows};
pub use data::{cifar, gzip, idx, tensors};
pub use mutate::Mutator;
pub use reports::{figures, run};
pub use studies::{manifest, study};

/// Reads bytes; panics where a reader breaks its word.
pub type Target = fn(&[u8]);

/// Every target: its name, and what it does.
pub const TARGETS: [(&str, Target); 14] = [
    ("idx", idx),
    ("cifar", cifar),
    ("gzip", gzip),
    ("tensors", tensors),
    ("weights", weights),
    ("state", state),
    ("progress", progress),
    ("config", config),
    ("lab", lab),
    ("lab_rows", lab_rows),
    ("run", run),
    ("figures", figures),
    ("study", study),
    ("manifest", manifest),
];
