//! How fast a download is.

use std::time::{Duration, Instant};

use crate::options::Options;

/// The mean speed of a download over the last [`Options::silence`].
pub(crate) struct Speed {
    least: u64,
    window: Duration,
    since: Instant,
    bytes: u64,
}

impl Speed {
    pub(crate) fn new(options: &Options) -> Self {
        Self { least: options.least_speed, window: options.silence, since: Instant::now(), bytes: 0 }
    }

    /// Counts bytes that came.
    ///
    /// # Errors
    /// Says how slowly they came, if that is too slow.
    pub(crate) fn add(&mut self, n: usize) -> Result<(), String> {
        self.bytes += n as u64;
        let elapsed = self.since.elapsed();
        if elapsed < self.window {
            return Ok(());
        }
        let speed = self.bytes as f64 / elapsed.as_secs_f64();
        if speed < self.least as f64 {
            let (least, seconds) = (self.least, elapsed.as_secs_f64());
            return Err(format!("it sent {speed:.0} bytes a second over {seconds:.1} s, expected at least {least}"));
        }
        (self.since, self.bytes) = (Instant::now(), 0);
        Ok(())
    }
}
