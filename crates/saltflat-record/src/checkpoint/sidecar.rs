//! `checkpoints/step-N.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::progress::Progress;
use crate::sha256::sha256_hex;

/// What stands beside the tensors of a checkpoint.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sidecar {
    /// Version of the layout.
    pub schema: u32,
    /// Steps made.
    pub step: u64,
    /// Epochs made.
    pub epoch: u64,
    /// `run.seed`.
    pub seed: u64,
    /// Number of parameters.
    pub parameters: usize,
    /// SHA-256 of the files beside it; [`save_checkpoint`](super::save_checkpoint) sets it.
    pub files: BTreeMap<String, String>,
    /// The numbers that are carried from step to step.
    pub progress: Progress,
    /// `config.toml` of the process that saved it; sidecars of earlier versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
    /// SHA-256 of the sidecar itself without this entry; [`save_checkpoint`](super::save_checkpoint) sets it.
    #[serde(default)]
    pub sha256: String,
}

impl Sidecar {
    /// SHA-256 of all else in it.
    pub(super) fn checksum(&self) -> String {
        let rest = Self { sha256: String::new(), ..self.clone() };
        sha256_hex(json!(rest).to_string().as_bytes())
    }
}
