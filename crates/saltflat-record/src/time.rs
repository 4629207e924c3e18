//! The time that a record says.

use std::time::{SystemTime, UNIX_EPOCH};

use humantime::format_rfc3339_seconds;

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
