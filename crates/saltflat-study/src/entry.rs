//! A run of a study.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Folders of the study's own.
pub(crate) const RESERVED: [&str; 4] = ["configs", "figures", "logs", "slurm"];

/// A run of a study.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number, from 0; a run that it starts from has a smaller one.
    pub index: usize,
    /// Its folder within the study's: `STAGE/LABELS-sSEED`.
    pub name: String,
    /// Its stage.
    pub stage: String,
    /// What it is among the others: a label an axis.
    pub labels: BTreeMap<String, String>,
    /// Its seed.
    pub seed: u64,
    /// The run whose final weights it starts from.
    pub parent: Option<usize>,
    /// The weights that it starts from if they are not of this study, as the study writes their path: a file or the folder of a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// What that run's last measurement must have reached, by the names of the metrics.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub require: BTreeMap<String, f64>,
}

/// True for the name of a folder of the study's own.
pub(crate) fn is_reserved(name: &str) -> bool {
    RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(name))
}
