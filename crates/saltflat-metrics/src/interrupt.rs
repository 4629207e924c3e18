//! Stops a measurement before its end.

use std::{
    fmt,
    sync::mpsc::{RecvTimeoutError, channel},
    thread,
    time::Duration,
};

use crate::MetricError;

/// How often a computation in a thread of its own asks.
const PAUSE: Duration = Duration::from_millis(20);

/// Asked throughout a measurement whether it should stop: before every microbatch, and in every loop without microbatches. The
/// default never stops it.
#[derive(Clone, Copy, Default)]
pub struct Interrupt<'a>(Option<&'a dyn Fn() -> bool>);

impl fmt::Debug for Interrupt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Interrupt").field(&self.0.is_some()).finish()
    }
}

impl<'a> Interrupt<'a> {
    /// Stops the measurement as soon as `asked` returns true.
    pub fn when(asked: &'a dyn Fn() -> bool) -> Self {
        Self(Some(asked))
    }

    /// Asks whether to stop.
    ///
    /// # Errors
    /// [`MetricError::Interrupted`] if the measurement is to be given up.
    pub fn check(self) -> Result<(), MetricError> {
        match self.0 {
            Some(asked) if asked() => Err(MetricError::Interrupted),
            _ => Ok(()),
        }
    }

    /// The result of a computation that cannot ask itself, such as an eigenvalue decomposition by a library. It runs in a
    /// thread of its own while this one asks; if it is given up, the thread goes on until it or the process ends, and its
    /// result is dropped.
    ///
    /// # Errors
    /// [`MetricError::Interrupted`], and [`MetricError::Device`] if no thread can be started.
    pub fn run<T: Send + 'static>(self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, MetricError> {
        if self.0.is_none() {
            return Ok(work());
        }
        let (done, result) = channel();
        let worker = thread::Builder::new().name("dense".into()).spawn(move || {
            // If it was given up, nobody waits for the result.
            let _ = done.send(work());
        });
        let failed = |e: std::io::Error| MetricError::Device { metric: "a dense computation", reason: e.to_string() };
        let worker = worker.map_err(failed)?;
        loop {
            match result.recv_timeout(PAUSE) {
                Ok(result) => return Ok(result),
                Err(RecvTimeoutError::Timeout) => self.check()?,
                Err(RecvTimeoutError::Disconnected) => match worker.join() {
                    Err(panic) => std::panic::resume_unwind(panic),
                    Ok(()) => return Err(MetricError::Interrupted),
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, time::Instant};

    use super::*;

    #[test]
    fn a_computation_that_cannot_ask_is_left_alone() {
        assert_eq!(Interrupt::default().run(|| 3).unwrap(), 3);
        assert_eq!(Interrupt::when(&|| false).run(|| 3).unwrap(), 3);
        // It would wait for ever: the other end is never used.
        let (end, waits) = channel::<()>();
        let questions = Cell::new(0);
        let asked = || {
            questions.set(questions.get() + 1);
            questions.get() == 3
        };
        let clock = Instant::now();
        let found = Interrupt::when(&asked).run(move || waits.recv().is_ok());
        assert!(matches!(found, Err(MetricError::Interrupted)), "{found:?}");
        assert!(clock.elapsed() < Duration::from_secs(60));
        drop(end);
    }
}
