//! Where numbers come from.

use serde_json::{Map, Value, json};

use crate::{SCHEMA, now};

/// What every `env.json` begins with: `schema`, `version`, `git_revision`, `threads`, `started`.
pub fn provenance() -> Map<String, Value> {
    [
        ("schema", json!(SCHEMA)),
        ("version", json!(env!("CARGO_PKG_VERSION"))),
        ("git_revision", json!(env!("SALTFLAT_GIT_REVISION"))),
        ("threads", json!(std::thread::available_parallelism().map_or(1, usize::from))),
        ("started", json!(now())),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_string(), value))
    .collect()
}
