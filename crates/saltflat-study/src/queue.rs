//! Runs a study: a process for each run.

use std::{
    collections::BTreeSet,
    fs::File,
    io::Write,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use saltflat_record::{Entry, RunState};

use crate::{
    Prepared, Standing, StudyError, StudyFolder,
    folder::ENDED,
    process::{RunEnd, RunProcess, StopRequest, start_failed},
};

/// From one look at the processes to the next.
const PAUSE: Duration = Duration::from_millis(50);

/// Between two looks at the runs of other processes pass so many times as long as a look takes: there may be thousands of them.
const REST: u32 = 50;

/// Progress callbacks of a queue.
pub trait QueueObserver {
    /// A run has nothing to go on from; what was in its folder is now here.
    fn set_aside(&mut self, _entry: &Entry, _place: &Path) {}
    /// A run starts, or goes on (`resumed`), on a device.
    fn started(&mut self, entry: &Entry, resumed: bool, device: &str);
    /// A run's process ended.
    fn ended(&mut self, ended: &RunEnd<'_>);
    /// Another process works on a run, which is waited for. Said once a run.
    fn elsewhere(&mut self, _entry: &Entry) {}
    /// Called at every look: the runs that are at work.
    fn looking(&mut self, _running: &[&Entry]) {}
}

/// Runs everything that is not done: as many processes at once as `jobs`, each started when the run before it is finished.
///
/// Each process has a process group of its own, so that a terminal's Ctrl-C reaches the study alone, which passes it on. Its
/// standard input is a pipe whose other end this process holds: it ends with this process, also if that is killed. It holds
/// the lock of its [log](StudyFolder::claim) as long as it lives, so that no other process starts the same run.
pub struct Queue<'a> {
    /// The study.
    pub folder: &'a StudyFolder,
    /// Processes at once.
    pub jobs: usize,
    /// Given to the runs in turn, one free device after the other.
    pub devices: Vec<String>,
    /// Starts those again that failed.
    pub retry: bool,
    /// The process of a run: resumed in its folder, or made anew from its configuration.
    pub command: &'a dyn Fn(&Entry, bool, &str) -> Command,
}

/// What a queue knows of the runs that are not done.
struct View<'a> {
    /// Tried once: what fails in this call is not tried again in it.
    tried: BTreeSet<usize>,
    /// The runs that other processes work on, and those of them that were reported.
    elsewhere: Vec<&'a Entry>,
    reported: BTreeSet<usize>,
    /// True if a run may be ready that was not at the last look at all of them.
    is_stale: bool,
    /// When the runs of other processes are looked at again.
    next: Instant,
}

impl Queue<'_> {
    /// Runs until nothing is left to do, or until `halt` says so: then the processes are told, and waited for. Runs of other
    /// processes in the same folder are waited for.
    ///
    /// # Errors
    /// [`StudyError::Start`] if a process cannot be started; those that are at work are told to save and end, and waited for.
    pub fn run(
        &self,
        report: &mut dyn QueueObserver,
        halt: &dyn Fn() -> Option<StopRequest>,
    ) -> Result<(), StudyError> {
        let mut work: Vec<RunProcess<'_>> = Vec::new();
        let (tried, reported) = (BTreeSet::new(), BTreeSet::new());
        let mut view = View { tried, elsewhere: Vec::new(), reported, is_stale: true, next: Instant::now() };
        let mut told = None;
        // A process that cannot be started ends the queue, after those that are at work.
        let mut failed = None;
        loop {
            let mut still = Vec::new();
            for mut at in work {
                match at.try_wait() {
                    Ok(None) => still.push(at),
                    Ok(Some(status)) => {
                        view.is_stale = true;
                        report.ended(&at.ended(self.folder, status, told.is_some()));
                    }
                    // It is told to end by the end of its input.
                    Err(error) => failed = failed.or(Some(error)),
                }
            }
            work = still;
            let asked = halt().or_else(|| failed.is_some().then_some(StopRequest::Terminate));
            if let Some(asked) = asked {
                if told != Some(asked) {
                    work.iter_mut().for_each(|at| at.tell(asked));
                    told = Some(asked);
                }
                if work.is_empty() {
                    return failed.map_or(Ok(()), Err);
                }
            } else {
                self.look_elsewhere(&mut view);
                if view.is_stale && work.len() < self.jobs {
                    view.is_stale = false;
                    match self.start_what_is_ready(&mut work, &mut view, report) {
                        Ok(()) if work.is_empty() && view.elsewhere.is_empty() && !view.is_stale => return Ok(()),
                        Ok(()) => {}
                        Err(error) => {
                            failed = Some(error);
                            continue;
                        }
                    }
                }
            }
            report.looking(&work.iter().map(|at| at.entry).collect::<Vec<_>>());
            thread::sleep(PAUSE);
        }
    }

    /// Looks whether a run of another process has ended.
    fn look_elsewhere(&self, view: &mut View<'_>) {
        let start = Instant::now();
        if start >= view.next {
            view.is_stale |= view.elsewhere.iter().any(|entry| self.folder.state(entry) != RunState::Running);
            view.next = start + REST * start.elapsed();
        }
    }

    /// Starts the runs that are ready, in their order, until enough are at work, and notes which ones other processes work on.
    fn start_what_is_ready<'a>(
        &'a self,
        work: &mut Vec<RunProcess<'a>>,
        view: &mut View<'a>,
        report: &mut dyn QueueObserver,
    ) -> Result<(), StudyError> {
        view.elsewhere.clear();
        for entry in self.folder.entries() {
            if work.len() >= self.jobs {
                // One of them ends before another run is looked for.
                break;
            }
            if view.tried.contains(&entry.index) {
                continue;
            }
            let claimed = match self.folder.standing(entry) {
                Standing::Ready => self.claimed(entry)?,
                Standing::Failed if self.retry => self.claimed(entry)?,
                Standing::Running => None,
                Standing::Failed
                | Standing::Done(_)
                | Standing::Waiting
                | Standing::Blocked
                | Standing::RequirementUnmet => {
                    continue;
                }
            };
            let Some(log) = claimed else {
                view.elsewhere.push(entry);
                if view.reported.insert(entry.index) {
                    report.elsewhere(entry);
                }
                continue;
            };
            // Between the look and the claim another process may have worked on it.
            match self.folder.state_of_claimed(entry) {
                RunState::None | RunState::Dead | RunState::Interrupted => {}
                RunState::Failed | RunState::Unreadable if self.retry => {}
                RunState::Failed | RunState::Unreadable | RunState::Finished | RunState::Diverged => {
                    view.is_stale = true;
                    continue;
                }
                RunState::Running => {
                    view.elsewhere.push(entry);
                    continue;
                }
            }
            view.tried.insert(entry.index);
            let busy = |d: usize| work.iter().filter(|at| at.device == d).count();
            let device = (0..self.devices.len()).min_by_key(|&d| busy(d)).unwrap_or(0);
            let name = self.devices.get(device).map_or("auto", String::as_str);
            let resumed = match self.folder.prepare(entry) {
                Ok(prepared) => {
                    if let Prepared::SetAside(place) = &prepared {
                        report.set_aside(entry, place);
                    }
                    prepared == Prepared::Resumed
                }
                // What is wrong with the folder of one run is not wrong with the others.
                Err(error) => {
                    report.ended(&self.not_started(entry, log, &error));
                    continue;
                }
            };
            report.started(entry, resumed, name);
            let command = (self.command)(entry, resumed, name);
            work.push(RunProcess::start(self.folder, entry, log, command, device)?);
        }
        Ok(())
    }

    /// A run that cannot start, for what is in its folder.
    fn not_started<'a>(&self, entry: &'a Entry, mut log: File, error: &StudyError) -> RunEnd<'a> {
        let reason = error.to_string();
        // For who asks later; it is reported now.
        let _ = writeln!(log, "{ENDED}{}", reason.replace('\n', " "));
        RunEnd { entry, state: self.folder.state_of_claimed(entry), reason, failed: true, elapsed: Duration::ZERO }
    }

    fn claimed(&self, entry: &Entry) -> Result<Option<File>, StudyError> {
        self.folder.claim(entry).map_err(|e| start_failed(entry, &e))
    }
}
