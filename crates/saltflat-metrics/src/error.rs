//! What can go wrong in a measurement, and what gives it up before its end.

use std::{
    sync::mpsc::{RecvTimeoutError, channel},
    thread,
    time::Duration,
};

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // The messages say what the fields are.
pub enum MetricError {
    /// A number could not be read back from the device.
    #[error("the device failed during {metric}: {reason}")]
    Device { metric: &'static str, reason: String },
    /// The measurement was given up before its end, as its [`Interrupt`](crate::Interrupt) asked for.
    #[error("the measurement was interrupted")]
    Interrupted,
    /// What is measured has no value at this point: a number on the way overflowed.
    #[error("{0}")]
    NotFinite(String),
    /// What was asked for does not fit the memory that the measurement may take.
    #[error("{what} need {needed} MiB, the limit is {limit} MiB (metrics.memory_limit)")]
    Memory { what: String, needed: usize, limit: usize },
}

impl MetricError {
    /// Why the metric has no value, if the measurement as a whole can go on without it.
    ///
    /// # Errors
    /// Gives the error back if the measurement cannot go on.
    pub fn absence(self) -> Result<String, Self> {
        match self {
            Self::NotFinite(_) | Self::Memory { .. } => Ok(self.to_string()),
            Self::Device { .. } | Self::Interrupted => Err(self),
        }
    }
}

/// Reads a tensor back as f64.
pub(crate) fn read<const D: usize>(
    metric: &'static str,
    tensor: burn::tensor::Tensor<D>,
) -> Result<Vec<f64>, MetricError> {
    tensor.try_into_vec_as::<f64>().map_err(|e| MetricError::Device { metric, reason: e.to_string() })
}

/// How often a computation in a thread of its own asks.
const PAUSE: Duration = Duration::from_millis(20);

/// Asked throughout a measurement whether it is to be given up: before every microbatch, and in every loop that walks over
/// none. The default never gives up.
#[derive(Clone, Copy, Default)]
pub struct Interrupt<'a>(Option<&'a dyn Fn() -> bool>);

impl<'a> Interrupt<'a> {
    /// Gives up as soon as `asked` returns true.
    pub fn when(asked: &'a dyn Fn() -> bool) -> Self {
        Self(Some(asked))
    }

    /// Asks.
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
