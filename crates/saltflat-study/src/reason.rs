//! Why a run's process ended.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
    process::ExitStatus,
};

use saltflat_record::Status;

/// What the program puts before the error that ends it.
const ERROR: &str = "saltflat: ";

/// Bytes at the end of a log in which the error is looked for.
const MOST: u64 = 1 << 16;

/// Why a process ended: what it wrote into the run's folder itself (`status`, absent where it wrote nothing); else the signal that
/// ended it, or its exit status and the error that it printed to `log` after the first `from` bytes.
pub(crate) fn reason(status: Option<&Status>, exit: ExitStatus, log: &Path, from: u64) -> String {
    if let Some(reason) = status.and_then(|status| status.reason.clone()) {
        return reason;
    }
    if let Some(signal) = signal(exit) {
        return match last_line(log, from, NO_MEMORY) {
            Some(line) => format!("{signal}: {line}"),
            None => signal,
        };
    }
    let code = exit.code().map_or_else(|| exit.to_string(), |code| format!("exit code {code}"));
    match error(log, from) {
        Some(error) => format!("{error} ({code})"),
        None => format!("it ended with {code} and printed no error"),
    }
}

/// What the allocator says before it ends a process.
const NO_MEMORY: &str = "memory allocation of ";

/// The last line of a log after its first `from` bytes, if it begins like this.
fn last_line(log: &Path, from: u64, start: &str) -> Option<String> {
    let text = tail(log, from)?;
    text.lines().next_back().filter(|line| line.starts_with(start)).map(String::from)
}

/// The last error that was printed: its line, and where that counts problems, those under it.
fn error(log: &Path, from: u64) -> Option<String> {
    let text = tail(log, from)?;
    let lines: Vec<&str> = text.lines().collect();
    let first = lines.iter().rposition(|line| line.starts_with(ERROR))?;
    let counts = lines[first].ends_with(" problems");
    let rest =
        lines[first + 1..].iter().take_while(|line| counts && line.starts_with("  ") && !line.starts_with("   "));
    let error: Vec<&str> = std::iter::once(&lines[first][ERROR.len()..]).chain(rest.copied()).collect();
    Some(error.join("\n"))
}

/// The end of a log, without its first `from` bytes.
fn tail(log: &Path, from: u64) -> Option<String> {
    let mut file = File::open(log).ok()?;
    let size = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(from.max(size.saturating_sub(MOST)))).ok()?;
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The signal that ended a process, in words.
#[cfg(unix)]
fn signal(exit: ExitStatus) -> Option<String> {
    use nix::sys::signal::Signal;
    use std::os::unix::process::ExitStatusExt;
    let number = exit.signal()?;
    let name = Signal::try_from(number).map_or_else(|_| format!("signal {number}"), |signal| signal.as_str().into());
    Some(match number {
        9 => format!("killed by {name}, perhaps for lack of memory"),
        _ => format!("ended by {name}"),
    })
}

#[cfg(not(unix))]
fn signal(_exit: ExitStatus) -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table row is no reason, nor what an earlier process said, nor its status.
    #[test]
    #[cfg(unix)]
    fn reasons_of_processes() {
        use std::os::unix::process::ExitStatusExt;
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("log");
        let earlier = "$ first\nsaltflat: an earlier error\n";
        let row = "   10     0.1117    97.9   90.1\n";
        let of = |text: &str, status: Option<&Status>, exit: i32| {
            std::fs::write(&log, format!("{earlier}{text}")).expect("a log");
            reason(status, ExitStatus::from_raw(exit), &log, earlier.len() as u64)
        };
        let code = |code: i32| code << 8;
        assert_eq!(of(row, None, 9), "killed by SIGKILL, perhaps for lack of memory");
        assert_eq!(of(row, None, 11), "ended by SIGSEGV");
        let no_memory = "memory allocation of 43296 bytes failed";
        assert_eq!(of(&format!("{row}{no_memory}\n"), None, 6), format!("ended by SIGABRT: {no_memory}"));
        assert_eq!(of(row, None, code(2)), "it ended with exit code 2 and printed no error");
        let refused = format!("{row}saltflat: r cannot be resumed: 2 problems\n  one\n  two\n{row}");
        assert_eq!(of(&refused, None, code(2)), "r cannot be resumed: 2 problems\n  one\n  two (exit code 2)");
        let status = Status::new("failed", Some("the device failed"), 3);
        assert_eq!(of(&refused, Some(&status), code(1)), "the device failed");
        // Killed while it ran: the status has no reason.
        assert_eq!(of(row, Some(&Status::new("running", None, 3)), 9), "killed by SIGKILL, perhaps for lack of memory");
    }
}
