//! The runs that are watched.

use saltflat_record::metric;
use saltflat_report::{Page, distinct};

use crate::{args::WatchArgs, page::read_runs};

/// The runs as their folders tell them, and what is shown of them.
pub struct Watched {
    /// Named by what tells them apart.
    pub page: Page,
    /// Every metric that a run has.
    pub metrics: Vec<String>,
    /// The one that is shown.
    pub metric: usize,
    /// Whether its axis is logarithmic.
    pub log: bool,
}

impl Watched {
    pub(super) fn read(args: &WatchArgs) -> Result<Self, String> {
        let mut watched = Self { page: read(args)?, metrics: Vec::new(), metric: 0, log: false };
        watched.metrics = watched.page.metrics();
        if let Some(name) = &args.metric {
            watched.metric = watched
                .metrics
                .iter()
                .position(|known| known == name)
                .ok_or_else(|| format!("--metric: expected one of {}, got {name}", watched.metrics.join(", ")))?;
        } else if let Some(trace) = watched.metrics.iter().position(|name| name == metric::TRACE_HESSIAN.name) {
            watched.metric = trace;
        }
        Ok(watched)
    }

    /// Reads the folders again and keeps what is shown. A folder that cannot be read at this moment stays as it was.
    #[cfg(unix)]
    pub(super) fn refresh(&mut self, args: &WatchArgs) {
        let Ok(page) = read(args) else { return };
        let shown = self.metrics.get(self.metric).cloned();
        self.page = page;
        self.metrics = self.page.metrics();
        self.metric = shown.and_then(|shown| self.metrics.iter().position(|name| *name == shown)).unwrap_or(0);
    }
}

fn read(args: &WatchArgs) -> Result<Page, String> {
    let (runs, mut notes) = read_runs(&args.runs).map_err(|e| e.to_string())?;
    let (runs, same) = distinct(runs);
    notes.extend(same);
    Ok(Page { runs, notes, ..Page::default() })
}
