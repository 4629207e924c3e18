//! Checkpoints: `checkpoints/step-N.safetensors` (parameters and buffers), `step-N.state.safetensors` (momentum and what else is carried
//! from step to step) and the sidecar `step-N.json` with their checksums. A checkpoint is whole if the sidecar is there and its checksums
//! hold; the sidecar is written last and removed first.

mod files;
mod newest;
mod progress;
mod save;
mod sidecar;

pub use files::{STATE, WEIGHTS, weights_path};
pub use newest::NewestCheckpoint;
pub use progress::{Best, Progress};
pub use save::save_checkpoint;
pub use sidecar::Sidecar;
