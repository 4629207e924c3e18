//! Coherence and the linear stability of SGD, against enumerated batches, closed forms and simulated trajectories.
#![allow(clippy::unwrap_used)]

mod coherence;
mod common;
mod growth;
