//! Works off a study, one process a run.

use std::{
    collections::BTreeSet,
    fs::OpenOptions,
    io::Write,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use saltflat_folder::RunState;

use crate::{Entry, Standing, StudyError, StudyFolder};

/// From one look at the processes to the next.
const PAUSE: Duration = Duration::from_millis(50);

/// How a run's process ended.
#[derive(Clone, Debug)]
pub struct Ended<'a> {
    /// The run.
    pub entry: &'a Entry,
    /// Where it stands now.
    pub state: RunState,
    /// How its process ended.
    pub status: ExitStatus,
    /// Since it was started.
    pub elapsed: Duration,
}

/// Hears how it goes.
pub trait Report {
    /// A run starts, or goes on (`resumed`), on a device.
    fn started(&mut self, entry: &Entry, resumed: bool, device: &str);
    /// A run's process ended.
    fn ended(&mut self, ended: &Ended<'_>);
    /// Called at every look: the runs that are at work.
    fn looking(&mut self, _running: &[&Entry]) {}
}

/// What works off the runs that are not done: as many at once as `jobs`, each started when the run before it is finished.
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

struct Work<'a> {
    entry: &'a Entry,
    child: Child,
    device: usize,
    since: Instant,
}

impl Queue<'_> {
    /// Runs until nothing is left to do, or until `stop` says so: then the processes are told to save and end, and waited for.
    /// Runs of other processes in the same folder are waited for.
    ///
    /// # Errors
    /// [`StudyError::Start`] where a process cannot be started, [`StudyError::File`] where the disk fails.
    pub fn run(&self, report: &mut dyn Report, stop: &dyn Fn() -> bool) -> Result<(), StudyError> {
        let mut work: Vec<Work<'_>> = Vec::new();
        // Tried once: what fails in this call is not tried again in it.
        let mut tried = BTreeSet::new();
        let mut told = false;
        // A process that cannot be started ends the queue, after those that are at work.
        let mut failed = None;
        loop {
            let mut still = Vec::new();
            for mut at in work {
                match at.child.try_wait().map_err(|e| start_failed(at.entry, &e))? {
                    None => still.push(at),
                    Some(status) => report.ended(&Ended {
                        entry: at.entry,
                        state: RunState::of(&self.folder.run(at.entry)),
                        status,
                        elapsed: at.since.elapsed(),
                    }),
                }
            }
            work = still;
            if stop() || failed.is_some() {
                if !told {
                    work.iter().for_each(|at| interrupt(&at.child));
                    told = true;
                }
                if work.is_empty() {
                    return failed.map_or(Ok(()), Err);
                }
            } else {
                let mut elsewhere = false;
                for entry in self.folder.entries() {
                    if tried.contains(&entry.index) {
                        continue;
                    }
                    match self.folder.standing(entry) {
                        Standing::Ready if work.len() < self.jobs => {}
                        Standing::Failed if self.retry && work.len() < self.jobs => {}
                        Standing::Running => {
                            elsewhere = true;
                            continue;
                        }
                        _ => continue,
                    }
                    tried.insert(entry.index);
                    let busy = |d: usize| work.iter().filter(|at| at.device == d).count();
                    let device = (0..self.devices.len()).min_by_key(|&d| busy(d)).unwrap_or(0);
                    let name = self.devices.get(device).map_or("auto", String::as_str);
                    let resumed = self.folder.prepare(entry)?;
                    report.started(entry, resumed, name);
                    match self.spawn(entry, resumed, name) {
                        Ok(child) => work.push(Work { entry, child, device, since: Instant::now() }),
                        Err(error) => {
                            failed = Some(error);
                            break;
                        }
                    }
                }
                if work.is_empty() && !elsewhere {
                    return Ok(());
                }
            }
            report.looking(&work.iter().map(|at| at.entry).collect::<Vec<_>>());
            thread::sleep(PAUSE);
        }
    }

    fn spawn(&self, entry: &Entry, resumed: bool, device: &str) -> Result<Child, StudyError> {
        let path = self.folder.log(entry);
        let mut log =
            OpenOptions::new().create(true).append(true).open(&path).map_err(StudyError::file(path.clone()))?;
        let mut command = (self.command)(entry, resumed, device);
        // Which command it was helps to repeat it by hand; a log that cannot be written says so when the process writes.
        let _ = writeln!(log, "$ {command:?}");
        let copy = log.try_clone().map_err(StudyError::file(path))?;
        command.stdin(Stdio::null()).stdout(copy).stderr(log);
        command.spawn().map_err(|e| start_failed(entry, &e))
    }
}

fn start_failed(entry: &Entry, e: &std::io::Error) -> StudyError {
    StudyError::Start { run: entry.name.clone(), reason: e.to_string() }
}

/// Asks a process to save and end.
#[cfg(unix)]
fn interrupt(child: &Child) {
    // A process that has ended in the meantime needs no word. There is no signal in the standard library: `kill` is everywhere.
    let _ = Command::new("kill").args(["-TERM", &child.id().to_string()]).stderr(Stdio::null()).status();
}

#[cfg(not(unix))]
fn interrupt(_child: &Child) {
    // Control-C reaches the whole console; there is nothing gentler.
}
