//! The process of a run, and why it ended.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    path::Path,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use saltflat_record::{Entry, RunState, Status};

use crate::{
    StudyError,
    folder::{ENDED, StudyFolder},
};

/// What the processes of the runs are to do before they are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopRequest {
    /// Save and end, as at SIGINT.
    Interrupt,
    /// Save and end, as at SIGTERM.
    Terminate,
    /// Save and end, as at SIGUSR1: they are to be started again.
    Requeue,
    /// End at once; nothing is saved.
    Kill,
}

/// How a run's process ended.
#[derive(Clone, Debug)]
pub struct RunEnd<'a> {
    /// The run.
    pub entry: &'a Entry,
    /// How far it is now.
    pub state: RunState,
    /// Why: as its folder says if this process wrote it there; else the signal that ended it, or its exit status and the error
    /// that it printed.
    pub reason: String,
    /// True if it ended by an error, also by one of which its folder says nothing: it was killed, or refused to start.
    pub failed: bool,
    /// Since it was started.
    pub elapsed: Duration,
}

/// A run that is at work.
pub(crate) struct RunProcess<'a> {
    pub(crate) entry: &'a Entry,
    /// The number of its device.
    pub(crate) device: usize,
    child: Child,
    /// Its end tells the process to save and end.
    _input: Option<ChildStdin>,
    since: Instant,
    /// What its folder said before, and the size of its log.
    before: Option<Status>,
    log: u64,
}

impl<'a> RunProcess<'a> {
    /// Starts a command, whose messages go into the log of the run.
    pub(crate) fn start(
        folder: &StudyFolder,
        entry: &'a Entry,
        mut log: File,
        mut command: Command,
        device: usize,
    ) -> Result<Self, StudyError> {
        let path = folder.log(entry);
        // Which command it was helps to repeat it by hand. If the log cannot be written, nobody would learn why the process ends.
        let in_log = |e: std::io::Error| start_failed(entry, &format!("{}: {e}", path.display()));
        writeln!(log, "$ {command:?}").map_err(in_log)?;
        let size = log.metadata().map_or(0, |metadata| metadata.len());
        let before = Status::read(&folder.run(entry)).ok().flatten();
        let copy = log.try_clone().map_err(in_log)?;
        command.stdin(Stdio::piped()).stdout(copy).stderr(log);
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let program = command.get_program().to_string_lossy().into_owned();
        let mut child = command.spawn().map_err(|e| start_failed(entry, &format!("{program}: {e}")))?;
        let input = child.stdin.take();
        Ok(Self { entry, device, child, _input: input, since: Instant::now(), before, log: size })
    }

    /// How the process ended, if it has.
    pub(crate) fn try_wait(&mut self) -> Result<Option<ExitStatus>, StudyError> {
        self.child.try_wait().map_err(|e| start_failed(self.entry, &e))
    }

    /// How a run ended whose process has ended, which was told to (`told`) or not.
    pub(crate) fn ended(&self, folder: &StudyFolder, status: ExitStatus, told: bool) -> RunEnd<'a> {
        let (run, log) = (folder.run(self.entry), folder.log(self.entry));
        let now = Status::read(&run).ok().flatten().filter(|now| Some(now) != self.before.as_ref());
        let mut reason = reason(now.as_ref(), status, &log, self.log);
        let state = RunState::of(&run);
        // A process that was told to end may not have begun; any other writes in the end how it went.
        let silent = now.is_none_or(|now| now.reason.is_none());
        let failed = matches!(state, RunState::Failed | RunState::Unreadable) || silent && !told && !status.success();
        if silent {
            // For who asks later. If it cannot be written, the process could not write there what was wrong, either.
            let line = format!("{ENDED}{}\n", reason.replace('\n', " "));
            let log = OpenOptions::new().append(true).open(log);
            if let Err(e) = log.and_then(|mut log| log.write_all(line.as_bytes())) {
                reason += &format!("; its log cannot be written: {e}");
            }
        }
        RunEnd { entry: self.entry, state, reason, failed, elapsed: self.since.elapsed() }
    }

    /// Tells the process to end.
    #[cfg(unix)]
    pub(crate) fn tell(&mut self, halt: StopRequest) {
        use nix::{
            sys::signal::{Signal, kill},
            unistd::Pid,
        };
        let signal = match halt {
            StopRequest::Interrupt => Signal::SIGINT,
            StopRequest::Terminate => Signal::SIGTERM,
            StopRequest::Requeue => Signal::SIGUSR1,
            StopRequest::Kill => Signal::SIGKILL,
        };
        // Its number is its own until it has been waited for. A process that has ended in the meantime needs no signal.
        if let Ok(number) = i32::try_from(self.child.id()) {
            let _ = kill(Pid::from_raw(number), signal);
        }
    }

    /// Tells the process to end.
    #[cfg(not(unix))]
    pub(crate) fn tell(&mut self, halt: StopRequest) {
        // Ctrl-C reaches every process of the console; there is no other gentle way.
        if halt == StopRequest::Kill {
            let _ = self.child.kill();
        }
    }
}

pub(crate) fn start_failed(entry: &Entry, e: &dyn std::fmt::Display) -> StudyError {
    StudyError::Start(format!("{}: its process cannot be started: {e}", entry.name))
}

/// What the program puts before the error that ends it.
const ERROR: &str = "saltflat: ";

/// Bytes at the end of a log in which the error is looked for.
const MOST: u64 = 1 << 16;

/// Why a process ended: what it wrote into the run's folder itself (`status`, absent if it wrote nothing); else the signal that
/// ended it, or its exit status and the error that it printed to `log` after the first `from` bytes.
fn reason(status: Option<&Status>, exit: ExitStatus, log: &Path, from: u64) -> String {
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

/// The last error that was printed: its line, and if that counts problems, those under it.
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
