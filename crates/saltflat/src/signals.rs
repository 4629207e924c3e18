//! What ends a run before its end: signals and the time limit. The loop asks; nothing is torn down under it.

use std::{
    cell::Cell,
    io::Read,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context;

/// Signals that come so soon after the first are the first once more: `timeout` sends one to the process and one to its group,
/// and a batch system one to every process of a job.
const SAME: Duration = Duration::from_secs(1);

/// Why a run was asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// SIGINT, or Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// SIGUSR1, which batch systems send before a job's time is over: save, and be started again.
    Requeue,
    /// `--time-limit`.
    TimeLimit,
}

impl Cause {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "an interrupt",
            Self::Terminate => "SIGTERM",
            Self::Requeue => "SIGUSR1",
            Self::TimeLimit => "--time-limit",
        }
    }

    /// True where the run is to be started again.
    pub fn is_requeue(self) -> bool {
        matches!(self, Self::Requeue | Self::TimeLimit)
    }

    /// Exit code of a run that stopped cleanly: 128 + the signal's number, by convention; 0 where it is to go on later.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
            Self::Requeue | Self::TimeLimit => 0,
        }
    }
}

/// What a second signal does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Second {
    /// Ends the program at once, with 128 + the signal's number.
    Exits,
    /// Is told by [`Stop::is_urgent`].
    Told,
}

/// Listens for signals and looks at the clock.
pub struct Stop {
    heard: Arc<Heard>,
    deadline: Option<Deadline>,
}

/// The signals that came.
#[derive(Default)]
struct Heard {
    first: OnceLock<(Cause, Instant)>,
    /// A second one came.
    again: AtomicBool,
}

/// A time limit, counted from the start of the program.
struct Deadline {
    start: Instant,
    limit: Duration,
    asked: Cell<Option<Instant>>,
    /// The longest time between two questions.
    longest: Cell<Duration>,
}

impl Stop {
    /// Listens from now on; a second signal ends the program at once. Must be called before the program starts other threads:
    /// they inherit which signals are held back for the one that waits for them.
    pub fn listen(limit: Option<Duration>) -> anyhow::Result<Self> {
        let (asked, longest) = (Cell::new(None), Cell::new(Duration::ZERO));
        let deadline = limit.map(|limit| Deadline { start: Instant::now(), limit, asked, longest });
        Ok(Self { heard: hear(Second::Exits)?, deadline })
    }

    /// As [`listen`](Self::listen), for a program that has processes to end before itself.
    pub fn listen_for_children() -> anyhow::Result<Self> {
        Ok(Self { heard: hear(Second::Told)?, deadline: None })
    }

    /// The end of the standard input counts as SIGTERM from now on: where that is a pipe from the process that started this one,
    /// it ends with that process, however that ends.
    pub fn at_end_of_input(&self) -> anyhow::Result<()> {
        let heard = Arc::clone(&self.heard);
        let read = move || {
            let mut input = std::io::stdin().lock();
            let mut ignored = [0; 64];
            loop {
                match input.read(&mut ignored) {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(_) => break,
                }
            }
            // Not a second signal where one came before: the process is saving then.
            let _ = heard.note(Cause::Terminate, Instant::now());
        };
        std::thread::Builder::new().name("input".into()).spawn(read).context("cannot watch the standard input")?;
        Ok(())
    }

    /// What is left of the time limit.
    pub fn left(&self) -> Option<Duration> {
        self.deadline.as_ref().map(|deadline| deadline.limit.saturating_sub(deadline.start.elapsed()))
    }

    /// Why the run has to stop, if it has to.
    pub fn cause(&self) -> Option<Cause> {
        let over = || self.deadline.as_ref().is_some_and(Deadline::is_near).then_some(Cause::TimeLimit);
        self.heard.first.get().map(|(cause, _)| *cause).or_else(over)
    }

    /// True where a second signal came: nothing is to be waited for.
    pub fn is_urgent(&self) -> bool {
        self.heard.again.load(Ordering::SeqCst)
    }
}

impl Deadline {
    /// True where the next step, or group of a measurement, and the checkpoint after it might not end in time: each is given
    /// the longest time that was seen.
    fn is_near(&self) -> bool {
        let now = Instant::now();
        if let Some(before) = self.asked.replace(Some(now)) {
            self.longest.set(self.longest.get().max(now - before));
        }
        now - self.start + 2 * self.longest.get() >= self.limit
    }
}

impl Heard {
    /// Notes the first signal; true for a second one, which does not come within [`SAME`] after it.
    fn note(&self, cause: Cause, now: Instant) -> bool {
        let (_, first) = self.first.get_or_init(|| (cause, now));
        now.saturating_duration_since(*first) >= SAME
    }

    /// Notes a signal whose exit code is `code`.
    fn signal(&self, cause: Cause, code: i32, second: Second) {
        if self.note(cause, Instant::now()) {
            match second {
                Second::Exits => std::process::exit(code),
                Second::Told => self.again.store(true, Ordering::SeqCst),
            }
        }
    }
}

fn hear(second: Second) -> anyhow::Result<Arc<Heard>> {
    let heard = Arc::new(Heard::default());
    wait(Arc::clone(&heard), second).context("cannot listen for signals")?;
    Ok(heard)
}

#[cfg(unix)]
fn wait(heard: Arc<Heard>, second: Second) -> anyhow::Result<()> {
    use nix::sys::signal::{SigSet, Signal};
    let mut signals = SigSet::empty();
    for kind in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGUSR1] {
        signals.add(kind);
    }
    signals.thread_block()?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        while let Ok(kind) = signals.wait() {
            let cause = match kind {
                Signal::SIGINT => Cause::Interrupt,
                Signal::SIGTERM => Cause::Terminate,
                _ => Cause::Requeue,
            };
            heard.signal(cause, 128 + kind as i32, second);
        }
    })?;
    Ok(())
}

#[cfg(not(unix))]
fn wait(heard: Arc<Heard>, second: Second) -> anyhow::Result<()> {
    let code = i32::from(Cause::Interrupt.exit_code());
    ctrlc::set_handler(move || heard.signal(Cause::Interrupt, code, second))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `timeout` sends, one to the process and one to its group, is one signal; what comes a second later is another.
    #[test]
    fn signals_at_once_are_one() {
        let (heard, start) = (Heard::default(), Instant::now());
        let at = |cause, milliseconds| heard.note(cause, start + Duration::from_millis(milliseconds));
        assert!(!at(Cause::Interrupt, 0));
        assert!(!at(Cause::Interrupt, 1));
        assert!(!at(Cause::Terminate, 999));
        assert_eq!(heard.first.get().map(|(cause, _)| *cause), Some(Cause::Interrupt));
        assert!(at(Cause::Interrupt, 1000));
    }
}
