//! No code. This crate asks for the features of indirect dependencies that the workspace as a whole asks for, so that
//! `cargo build -p CRATE` and `cargo test -p CRATE` use the dependencies that `cargo build` has compiled: Cargo adds up the
//! features of a dependency over the selected crates only.
