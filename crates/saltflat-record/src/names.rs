//! Names of the files of a record.

/// Version of the layout and of the JSON in it.
pub const SCHEMA: u32 = 1;

/// The resolved configuration.
pub const CONFIG: &str = "config.toml";
/// What the numbers depend on beside the configuration: an [`Environment`](crate::Environment).
pub const ENVIRONMENT: &str = "env.json";
/// How far the run is: a [`Status`](crate::Status).
pub const STATUS: &str = "status.json";
/// One [`Row`](crate::Row) a line.
pub const METRICS: &str = "metrics.jsonl";
/// Messages, a line each, with the time.
pub const LOG: &str = "log.txt";
/// Locked by the process that writes in the folder.
pub const LOCK: &str = "lock";
/// Folder of the checkpoints.
pub const CHECKPOINTS: &str = "checkpoints";
/// Folder of the vectors in parameter space that measurements found.
pub const VECTORS: &str = "vectors";
/// The runs of a study: a [`Manifest`](crate::Manifest).
pub const MANIFEST: &str = "manifest.json";
