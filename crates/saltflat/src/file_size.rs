//! Limits of the size of files (`ulimit -f`).

/// A write beyond the limit fails, as on a full disk, and the run says so in its folder; else the signal SIGXFSZ would end the process
/// without a word. Must be called before other threads start: they inherit it. A process that this one starts does not.
#[cfg(unix)]
pub fn no_signal() {
    use nix::sys::signal::{SigSet, Signal};
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGXFSZ);
    // If it cannot be blocked, a limit ends the process as it ends any other.
    let _ = signals.thread_block();
}

/// Elsewhere there is no such signal.
#[cfg(not(unix))]
pub fn no_signal() {}
