//! `status.json`: how far a run is.

use std::{
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use humantime::format_rfc3339_seconds;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    error::FolderError,
    names::{SCHEMA, STATUS},
    read::read_if_there,
};

/// The content of `status.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Version of the layout.
    pub schema: u32,
    /// `running`, `finished`, `diverged`, `interrupted` or `failed`.
    pub status: String,
    /// Why it is so.
    pub reason: Option<String>,
    /// Steps made.
    pub step: u64,
    /// True if the run stopped so that it can be started again, as batch systems do.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub requeue: bool,
    /// Universal time, ISO 8601.
    pub at: String,
}

impl Status {
    /// A status of now.
    pub fn new(status: &str, reason: Option<&str>, step: u64) -> Self {
        let (status, reason, at) = (status.into(), reason.map(Into::into), now());
        Self { schema: SCHEMA, status, reason, step, requeue: false, at }
    }

    /// The status of a run folder; absent if there is definitely none, and if what is there is no status.
    ///
    /// # Errors
    /// [`FolderError`] if it is there and cannot be read.
    pub fn read(folder: &Path) -> Result<Option<Self>, FolderError> {
        let path = folder.join(STATUS);
        let bytes = read_if_there(&path).map_err(FolderError::at(path))?;
        Ok(bytes.and_then(|bytes| Self::parse(&bytes).ok()))
    }

    /// Reads the content of `status.json`, of which only the key `status` has to be there.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, String> {
        let keys: Map<String, Value> =
            serde_json::from_slice(json).map_err(|e| format!("expected a JSON object: {e}"))?;
        let text = |key: &str| keys.get(key).and_then(Value::as_str).map(String::from);
        let count = |key: &str| keys.get(key).and_then(Value::as_u64).unwrap_or(0);
        Ok(Self {
            schema: u32::try_from(count("schema")).unwrap_or(0),
            status: text("status").ok_or("expected the key status with a text")?,
            reason: text("reason"),
            step: count("step"),
            requeue: keys.get("requeue").and_then(Value::as_bool).unwrap_or(false),
            at: text("at").unwrap_or_default(),
        })
    }
}

/// Universal time, ISO 8601, to the second: `2027-01-15T08:00:00Z`.
pub fn now() -> String {
    // Of a clock that is before 1970 there is no such text.
    format_rfc3339_seconds(SystemTime::now().max(UNIX_EPOCH)).to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// `date -u -d @SECONDS +%FT%TZ`.
    #[test]
    fn dates() {
        let iso8601 = |seconds| format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(seconds)).to_string();
        assert_eq!(iso8601(0), "1970-01-01T00:00:00Z");
        assert_eq!(iso8601(951_827_696), "2000-02-29T12:34:56Z");
        assert_eq!(iso8601(1_800_000_000), "2027-01-15T08:00:00Z");
        assert_eq!(now().len(), iso8601(0).len());
    }
}
