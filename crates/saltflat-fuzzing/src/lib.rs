#![doc = include_str!("../README.md")]

mod checkpoints;
mod configurations;
mod data;
mod mutate;
mod reports;
mod scratch;
mod studies;

pub use checkpoints::{index, progress, state, weights};
pub use configurations::{config, examples, lab, lab_rows};
pub use data::{cifar, gzip, idx, tensors};
pub use mutate::Mutator;
pub use reports::{figures, run};
pub use studies::{manifest, study};

/// Reads bytes; panics if a reader is wrong: it accepts what the bytes do not say, or what is written is not read again as the same.
pub type Target = fn(&[u8]);

/// Every target: its name, and what it does.
pub const TARGETS: [(&str, Target); 15] = [
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
    ("index", index),
];
