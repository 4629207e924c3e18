//! The process of a run.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use saltflat_record::{Entry, RunState, Status};

use crate::{
    StudyError,
    folder::{ENDED, StudyFolder},
    reason::reason,
};

/// What the processes of the runs are to do before they are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halt {
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
pub struct Ended<'a> {
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
    pub(crate) fn ended(&self, folder: &StudyFolder, status: ExitStatus, told: bool) -> Ended<'a> {
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
        Ended { entry: self.entry, state, reason, failed, elapsed: self.since.elapsed() }
    }

    /// Tells the process to end.
    #[cfg(unix)]
    pub(crate) fn tell(&mut self, halt: Halt) {
        use nix::{
            sys::signal::{Signal, kill},
            unistd::Pid,
        };
        let signal = match halt {
            Halt::Interrupt => Signal::SIGINT,
            Halt::Terminate => Signal::SIGTERM,
            Halt::Requeue => Signal::SIGUSR1,
            Halt::Kill => Signal::SIGKILL,
        };
        // Its number is its own until it has been waited for. A process that has ended in the meantime needs no signal.
        if let Ok(number) = i32::try_from(self.child.id()) {
            let _ = kill(Pid::from_raw(number), signal);
        }
    }

    /// Tells the process to end.
    #[cfg(not(unix))]
    pub(crate) fn tell(&mut self, halt: Halt) {
        // Ctrl-C reaches every process of the console; there is no other gentle way.
        if halt == Halt::Kill {
            let _ = self.child.kill();
        }
    }
}

pub(crate) fn start_failed(entry: &Entry, e: &dyn std::fmt::Display) -> StudyError {
    StudyError::Start { run: entry.name.clone(), reason: e.to_string() }
}
