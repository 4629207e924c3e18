//! What a person hears of a study at work.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use indicatif::ProgressBar;
use saltflat_record::RunState;
use saltflat_study::{Entry, QueueObserver, RunEnd, Standing, StudyFolder};

use crate::{
    output::{one_line, progress_bar},
    table::length,
};

#[derive(Default)]
pub struct Counts {
    pub done: usize,
    pub diverged: usize,
    pub failed: usize,
    pub blocked: usize,
    pub open: usize,
}

impl Counts {
    pub fn of(folder: &StudyFolder) -> Self {
        let mut counts = Self::default();
        for entry in folder.entries() {
            match folder.standing(entry) {
                Standing::Done(state) => {
                    counts.done += 1;
                    counts.diverged += usize::from(state == RunState::Diverged);
                }
                Standing::Failed => counts.failed += 1,
                Standing::Blocked | Standing::RequirementUnmet => counts.blocked += 1,
                Standing::Running | Standing::Ready | Standing::Waiting => counts.open += 1,
            }
        }
        counts
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let all = self.done + self.failed + self.blocked + self.open;
        write!(f, "{} of {all} runs done", self.done)?;
        for (count, what) in [
            (self.diverged, "of them diverged"),
            (self.failed, "failed"),
            (self.blocked, "cannot start, since the run before them failed, diverged or missed what is required of it"),
            (self.open, "left"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        Ok(())
    }
}

/// Tells how the queue goes.
pub struct Talk<'a> {
    folder: &'a StudyFolder,
    pub bar: ProgressBar,
    clock: Instant,
    /// Runs that were done before, and those that ended since.
    before: u64,
    ended: u64,
    looked: Option<Instant>,
    /// Name, reason and log of those that failed in this call.
    pub failed: Vec<(String, String, PathBuf)>,
}

impl<'a> Talk<'a> {
    pub fn new(folder: &'a StudyFolder) -> Self {
        let before = Counts::of(folder).done as u64;
        let all = folder.entries().len() as u64;
        let bar = progress_bar(all, "{bar:30} {pos}/{len} runs {msg}");
        bar.set_position(before);
        if before > 0 {
            errln!("{before} of {all} runs are done already");
        }
        Self { folder, bar, clock: Instant::now(), before, ended: 0, looked: None, failed: Vec::new() }
    }

    fn say(&self, text: &str) {
        self.bar.suspend(|| errln!("{text}"));
    }
}

impl QueueObserver for Talk<'_> {
    fn set_aside(&mut self, entry: &Entry, place: &Path) {
        self.say(&set_aside(entry, place));
    }

    fn started(&mut self, entry: &Entry, resumed: bool, device: &str) {
        let verb = if resumed { "resumed" } else { "started" };
        self.say(&format!("{}: {verb} ({device})", entry.name));
    }

    fn ended(&mut self, ended: &RunEnd<'_>) {
        let (folder, entry) = (self.folder, ended.entry);
        // What was told to stop goes on another time.
        if ended.failed || matches!(ended.state, RunState::Finished | RunState::Diverged) {
            self.ended += 1;
        }
        let state = match ended.state {
            RunState::None if !ended.failed => "stopped before it began",
            _ if ended.failed => word(RunState::Failed),
            state => word(state),
        };
        if ended.failed {
            self.failed.push((entry.name.clone(), ended.reason.clone(), folder.log(entry)));
        }
        let all = folder.entries().len() as u64;
        self.bar.set_position(self.before + self.ended);
        self.say(&format!(
            "[{}/{all}] {}: {state}, {:.1} s: {}",
            self.before + self.ended,
            entry.name,
            ended.elapsed.as_secs_f64(),
            ended.reason
        ));
        if let Some(missed) = folder.missed_goal(entry) {
            self.say(&format!("{}: {missed}", entry.name));
        }
        let after = folder.entries().iter().filter(|other| other.parent == Some(entry.index));
        let mut unmet: BTreeMap<String, usize> = BTreeMap::new();
        for other in after.filter(|other| folder.standing(other) == Standing::RequirementUnmet) {
            *unmet.entry(folder.obstacle(other).unwrap_or_default()).or_default() += 1;
        }
        for (obstacle, runs) in unmet {
            self.say(&format!("{runs} runs are not started: {obstacle}"));
        }
    }

    fn elsewhere(&mut self, entry: &Entry) {
        self.say(&format!("{}: another process works on it, which is waited for", entry.name));
    }

    fn looking(&mut self, running: &[&Entry]) {
        if self.looked.is_some_and(|at| at.elapsed() < Duration::from_secs(1)) || self.bar.is_hidden() {
            return;
        }
        self.looked = Some(Instant::now());
        let names: Vec<&str> = running.iter().map(|entry| entry.name.as_str()).collect();
        let mut text = names.join(", ");
        if self.ended > 0 {
            let left = (self.folder.entries().len() as u64).saturating_sub(self.before + self.ended);
            let each = self.clock.elapsed().as_secs_f64() / self.ended as f64;
            text.push_str(&format!("; about {} left", length(each * left as f64)));
        }
        // The bar draws by itself.
        self.bar.set_message(one_line(&text));
    }
}

/// Says that what was in a run's folder was moved.
pub fn set_aside(entry: &Entry, place: &Path) -> String {
    format!("{}: nothing to go on from; what was in its folder is now in {}", entry.name, place.display())
}

pub fn word(state: RunState) -> &'static str {
    match state {
        RunState::Finished => "finished",
        RunState::Diverged => "diverged",
        RunState::Interrupted => "interrupted",
        RunState::Failed => "failed",
        RunState::Running => "running",
        RunState::Dead => "ended early",
        RunState::None => "not started",
        RunState::Unreadable => "unreadable",
    }
}
