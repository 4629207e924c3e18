//! What ends a run before its end: signals and the time limit. The loop asks; nothing is torn down under it.

use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context;

/// Why a run was asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Cause {
    /// SIGINT, or Ctrl-C.
    Interrupt = 1,
    /// SIGTERM.
    Terminate,
    /// SIGUSR1, which batch systems send before a job's time is over: save, and be started again.
    Requeue,
    /// `--time-limit`.
    TimeLimit,
}

impl Cause {
    const ALL: [Self; 4] = [Self::Interrupt, Self::Terminate, Self::Requeue, Self::TimeLimit];

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

/// Listens for signals and looks at the clock.
pub struct Stop {
    signal: Arc<AtomicU8>,
    deadline: Option<Deadline>,
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
    /// Listens from now on. Must be called before the program starts other threads: they inherit which signals are held
    /// back for the one that waits for them.
    pub fn listen(limit: Option<Duration>) -> anyhow::Result<Self> {
        let signal = Arc::new(AtomicU8::new(0));
        wait(Arc::clone(&signal)).context("cannot listen for signals")?;
        let (asked, longest) = (Cell::new(None), Cell::new(Duration::ZERO));
        let deadline = limit.map(|limit| Deadline { start: Instant::now(), limit, asked, longest });
        Ok(Self { signal, deadline })
    }

    /// What is left of the time limit.
    pub fn left(&self) -> Option<Duration> {
        self.deadline.as_ref().map(|deadline| deadline.limit.saturating_sub(deadline.start.elapsed()))
    }

    /// Why the run has to stop, if it has to.
    pub fn cause(&self) -> Option<Cause> {
        let signal = self.signal.load(Ordering::SeqCst);
        let over = || self.deadline.as_ref().is_some_and(Deadline::is_near).then_some(Cause::TimeLimit);
        Cause::ALL.into_iter().find(|cause| *cause as u8 == signal).or_else(over)
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

/// The first signal is noted, a second one ends the program at once.
fn note(cause: Cause, signal: &AtomicU8, code: i32) {
    if signal.swap(cause as u8, Ordering::SeqCst) != 0 {
        std::process::exit(code);
    }
}

#[cfg(unix)]
fn wait(signal: Arc<AtomicU8>) -> anyhow::Result<()> {
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
            note(cause, &signal, 128 + kind as i32);
        }
    })?;
    Ok(())
}

#[cfg(not(unix))]
fn wait(signal: Arc<AtomicU8>) -> anyhow::Result<()> {
    ctrlc::set_handler(move || note(Cause::Interrupt, &signal, i32::from(Cause::Interrupt.exit_code())))?;
    Ok(())
}
