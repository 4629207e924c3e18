//! The runs that are watched, and what is shown of them.

use saltflat_record::metric;
use saltflat_report::{CurveAxis, Page, Run, distinct, number};

use crate::{args::WatchArgs, output::one_line, page::read_runs};

/// The runs as their folders tell them, and what is shown of them.
pub struct Watched {
    /// Named by what tells them apart.
    pub page: Page,
    pub metrics: Vec<String>,
    pub metric: usize,
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

/// `running, epoch 12 of 100, step 240`.
pub fn progress(run: &Run) -> String {
    let last = run.epochs.last().into_iter().chain(run.measurements.last());
    let at = |key: &str| last.clone().filter_map(|row| row.get(key)?.as_u64()).max().unwrap_or(0);
    let of = |key: &str| run.config.get("train")?.get(key)?.as_integer();
    let with = |now: u64, all: Option<i64>| all.map_or(now.to_string(), |all| format!("{now} of {all}"));
    let (epoch, step) = (with(at("epoch"), of("epochs")), with(at("step"), of("steps")));
    let reason = match (&run.reason, run.status.as_str()) {
        (Some(reason), "diverged" | "failed" | "interrupted") => format!(": {reason}"),
        _ => String::new(),
    };
    one_line(&format!("{}, epoch {epoch}, step {step}{reason}", run.status))
}

/// What is to be known of the runs, then a block a run: where it stands, and the last rows of what is measured.
pub fn table(watched: &Watched) -> String {
    let mut text: String = watched.page.notes.iter().map(|note| one_line(note) + "\n").collect();
    for run in &watched.page.runs {
        text.push_str(&format!("{}: {}\n", one_line(&run.name), progress(run)));
        let watched = metric::all().filter(|metric| metric.is_watched).map(|metric| metric.name);
        let columns: Vec<&str> = watched.filter(|name| !run.curve(name, CurveAxis::Epoch).is_empty()).collect();
        let mut epochs: Vec<u64> =
            columns.iter().flat_map(|name| run.curve(name, CurveAxis::Epoch)).map(|(epoch, _)| epoch as u64).collect();
        epochs.sort_unstable();
        epochs.dedup();
        if columns.is_empty() {
            text.push_str("  nothing measured yet\n");
            continue;
        }
        let head: Vec<String> = columns.iter().map(|name| format!("{name:>18}")).collect();
        text.push_str(&format!("{:>8}{}\n", "epoch", head.concat()));
        for &epoch in epochs.iter().rev().take(10).rev() {
            let cell = |name: &&str| {
                let curve = run.curve(name, CurveAxis::Epoch);
                let found = curve.iter().find(|(at, _)| *at as u64 == epoch);
                format!("{:>18}", found.map_or(String::new(), |(_, value)| number(*value)))
            };
            text.push_str(&format!("{epoch:>8}{}\n", columns.iter().map(cell).collect::<String>()));
        }
    }
    text
}
