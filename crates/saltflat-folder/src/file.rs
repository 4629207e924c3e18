//! Files that are whole or absent.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};

use serde_json::Value;

/// A file of a folder cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {reason}", path = path.display())]
pub struct FolderError {
    /// The file.
    pub path: PathBuf,
    /// What the system says.
    pub reason: String,
}

impl FolderError {
    /// With the path that a system's error belongs to.
    pub fn at(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |e| Self { path, reason: e.to_string() }
    }
}

/// Opens a file of a folder to append to it.
///
/// # Errors
/// [`FolderError`].
pub fn append(root: &Path, name: &str) -> Result<File, FolderError> {
    let path = root.join(name);
    OpenOptions::new().create(true).append(true).open(&path).map_err(FolderError::at(path))
}

/// Writes a file under a temporary name beside it, flushes it to disk, renames it and flushes the folder.
///
/// # Errors
/// [`FolderError`]; the temporary file is removed.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), FolderError> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    // Of its own for each process: two that write the same file do not take the other's away.
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let made = File::create(&temporary)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&temporary, path))
        .and_then(|()| flush_folder(path));
    made.map_err(|e| {
        let _ = fs::remove_file(&temporary);
        FolderError { path: path.into(), reason: e.to_string() }
    })
}

/// Removes what processes that were killed while they [wrote](write()) left in a folder. Only for one that nobody else writes in.
pub fn remove_temporary(folder: &Path) {
    let is_temporary = |path: &Path| {
        let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".tmp"));
        let process = name.and_then(|name| name.rsplit_once('.')).map(|(_, process)| process);
        process.is_some_and(|process| !process.is_empty() && process.bytes().all(|byte| byte.is_ascii_digit()))
    };
    // What cannot be listed or removed does no harm.
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    for path in entries.filter(|path| is_temporary(path)) {
        let _ = fs::remove_file(path);
    }
}

/// So that a rename outlasts a power failure. Windows has no such call.
fn flush_folder(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(folder) if cfg!(unix) => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

/// Writes JSON as [`write()`] does, indented.
///
/// # Errors
/// [`FolderError`].
pub fn write_json(path: &Path, value: &Value) -> Result<(), FolderError> {
    let mut text =
        serde_json::to_string_pretty(value).map_err(|e| FolderError { path: path.into(), reason: e.to_string() })?;
    text.push('\n');
    write(path, text.as_bytes())
}

/// Universal time, ISO 8601, to the second.
pub fn now() -> String {
    let seconds = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map(|elapsed| elapsed.as_secs())
        .unwrap_or(0);
    iso8601(seconds)
}

/// Civil date from days since 1970 (Howard Hinnant's `civil_from_days`).
fn iso8601(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `date -u -d @SECONDS +%FT%TZ`.
    #[test]
    fn dates() {
        assert_eq!(iso8601(0), "1970-01-01T00:00:00Z");
        assert_eq!(iso8601(951_827_696), "2000-02-29T12:34:56Z");
        assert_eq!(iso8601(1_800_000_000), "2027-01-15T08:00:00Z");
    }
}
