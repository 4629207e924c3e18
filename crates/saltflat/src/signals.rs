//! What ends a run before its end: signals and the time limit. Before there is anything to save they end the program at once; from
//! then on the loop asks, and nothing is torn down under it.

use std::{
    cell::Cell,
    io::Read,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
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
    /// SIGHUP: the terminal is gone.
    Hangup,
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
            Self::Hangup => "SIGHUP",
            Self::Requeue => "SIGUSR1",
            Self::TimeLimit => "--time-limit",
        }
    }

    /// True if the run is to be started again.
    pub fn is_requeue(self) -> bool {
        matches!(self, Self::Requeue | Self::TimeLimit)
    }

    /// Exit code of a run that stopped cleanly: 128 + the signal's number, by convention; 0 if it is to be resumed later.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
            Self::Hangup => 129,
            Self::Requeue | Self::TimeLimit => 0,
        }
    }
}

/// Bytes of a checkpoint that are taken to be written in a second, before one has been timed: those of a slow network file system.
const WRITTEN: f64 = 5e7;
/// What a checkpoint takes beside that, and the end of the process.
const END: Duration = Duration::from_millis(250);

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
    /// True as long as there is nothing to save, so that the first signal ends the program.
    preparing: Mutex<bool>,
}

/// A time limit, counted from the start of the program.
struct Deadline {
    start: Instant,
    limit: Duration,
    asked: Cell<Option<Instant>>,
    /// The longest time between two questions.
    longest: Cell<Duration>,
    /// For what comes after the last question.
    reserve: Cell<Duration>,
}

impl Stop {
    /// Listens from now on; a second signal ends the program at once. Must be called before the program starts other threads:
    /// they inherit which signals are held back for the one that waits for them.
    pub fn listen(limit: Option<Duration>) -> anyhow::Result<Self> {
        Ok(Self { heard: hear(Second::Exits, false)?, deadline: limit.map(Deadline::new) })
    }

    /// As [`listen`](Self::listen), for a program that has nothing to save yet: until [`prepared`](Self::prepared) is called, the first
    /// signal and the time limit end it at once, with the exit codes of their causes.
    pub fn listen_while_preparing(limit: Option<Duration>) -> anyhow::Result<Self> {
        let stop = Self { heard: hear(Second::Exits, true)?, deadline: limit.map(Deadline::new) };
        if let Some(left) = stop.left() {
            let heard = Arc::clone(&stop.heard);
            let wait = move || {
                std::thread::sleep(left);
                heard.exit_if_preparing(Cause::TimeLimit);
            };
            std::thread::Builder::new().name("limit".into()).spawn(wait).context("cannot watch the time limit")?;
        }
        Ok(stop)
    }

    /// From now on there is something to save: the loop is to ask for [`cause`](Self::cause). A checkpoint has about so many bytes.
    pub fn prepared(&self, checkpoint: u64) {
        *self.heard.preparing() = false;
        if let Some(deadline) = &self.deadline {
            deadline.reserve.set(Duration::from_secs_f64(checkpoint as f64 / WRITTEN) + END);
        }
    }

    /// As [`listen`](Self::listen), for a program that has processes to end before itself.
    pub fn listen_for_children() -> anyhow::Result<Self> {
        Ok(Self { heard: hear(Second::Told, false)?, deadline: None })
    }

    /// The end of the standard input counts as SIGTERM from now on: if that is a pipe from the process that started this one,
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
            heard.exit_if_preparing(Cause::Terminate);
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

    /// True if a second signal came: nothing is to be waited for.
    pub fn is_urgent(&self) -> bool {
        self.heard.again.load(Ordering::SeqCst)
    }
}

impl Deadline {
    fn new(limit: Duration) -> Self {
        let [longest, reserve] = [(); 2].map(|()| Cell::new(Duration::ZERO));
        Self { start: Instant::now(), limit, asked: Cell::new(None), longest, reserve }
    }

    /// True if what comes until the next question, a step or a part of a measurement, and the checkpoint after it might not end in
    /// time.
    fn is_near(&self) -> bool {
        self.is_near_at(Instant::now())
    }

    /// The next piece of work is given twice the longest time that lay between two questions. Those of a measurement come so often
    /// that this says nothing of a checkpoint, for which there is a reserve; a checkpoint that was written counts as a piece of work.
    fn is_near_at(&self, now: Instant) -> bool {
        if let Some(before) = self.asked.replace(Some(now)) {
            self.longest.set(self.longest.get().max(now - before));
        }
        now - self.start + 2 * self.longest.get() + self.reserve.get() >= self.limit
    }
}

impl Heard {
    /// Notes the first signal; true for a second one, which does not come within [`SAME`] after it.
    fn note(&self, cause: Cause, now: Instant) -> bool {
        let (_, first) = self.first.get_or_init(|| (cause, now));
        now.saturating_duration_since(*first) >= SAME
    }

    fn preparing(&self) -> std::sync::MutexGuard<'_, bool> {
        self.preparing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the program if there is nothing to save. The lock is held until the end, so that nothing is begun in the meantime.
    fn exit_if_preparing(&self, cause: Cause) {
        let preparing = self.preparing();
        if *preparing {
            errln!("saltflat: stopped by {} before there was anything to save", cause.name());
            std::process::exit(i32::from(cause.exit_code()));
        }
    }

    /// Notes a signal whose exit code is `code`.
    fn signal(&self, cause: Cause, code: i32, second: Second) {
        self.exit_if_preparing(cause);
        if self.note(cause, Instant::now()) {
            match second {
                Second::Exits => {
                    errln!(
                        "saltflat: ended at once by a second signal; what came after the last checkpoint is not saved"
                    );
                    std::process::exit(code)
                }
                Second::Told => self.again.store(true, Ordering::SeqCst),
            }
        }
    }
}

fn hear(second: Second, preparing: bool) -> anyhow::Result<Arc<Heard>> {
    let heard = Arc::new(Heard { preparing: Mutex::new(preparing), ..Heard::default() });
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
    if !is_ignored(Signal::SIGHUP) {
        signals.add(Signal::SIGHUP);
    }
    signals.thread_block()?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        while let Ok(kind) = signals.wait() {
            let cause = match kind {
                Signal::SIGINT => Cause::Interrupt,
                Signal::SIGTERM => Cause::Terminate,
                Signal::SIGHUP => Cause::Hangup,
                _ => Cause::Requeue,
            };
            heard.signal(cause, 128 + kind as i32, second);
        }
    })?;
    Ok(())
}

/// True if the program was started so that it ignores a signal, as `nohup` does with SIGHUP; also if the system does not tell.
#[cfg(unix)]
fn is_ignored(signal: nix::sys::signal::Signal) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    ignored.is_none_or(|ignored| ignored & 1 << (signal as u32 - 1) != 0)
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

    /// A limit of 100 s. Questions a second apart leave two for the next piece of work; the reserve for a checkpoint of 500 MB is ten
    /// seconds and a quarter; after a step of 20 s the next one is given 40.
    #[test]
    fn a_time_limit_leaves_time_for_the_checkpoint() {
        let near = |reserve: u64, questions: &[u64]| {
            let stop = Stop { heard: Arc::default(), deadline: Some(Deadline::new(Duration::from_secs(100))) };
            stop.prepared(reserve);
            let deadline = stop.deadline.expect("it has one");
            questions.iter().position(|&at| deadline.is_near_at(deadline.start + Duration::from_secs(at)))
        };
        let every_second: Vec<u64> = (0..=100).collect();
        assert_eq!(near(0, &every_second), Some(98), "2 s, and the end of the process");
        assert_eq!(near(500_000_000, &every_second), Some(88));
        assert_eq!(near(0, &[0, 20, 40, 58, 60]), Some(4));
        assert_eq!(near(0, &[99]), None, "of what comes next nothing is known");
    }
}
