//! The folder of a study while the command works on it: what its runs are, and how they stand.

use std::{fs, path::Path, process::ExitCode};

use anyhow::Context;
use saltflat_record::{RunState, Status};
use saltflat_study::{FolderLock, Standing, Study, StudyError, StudyFolder};

use super::talk::{Counts, word};
use crate::output::{OutputError, one_line};

/// The lock of a study's folder; absent if `given_up` says so while another process holds it.
pub fn hold(root: &Path, given_up: &dyn Fn() -> bool) -> Result<Option<FolderLock>, StudyError> {
    let mut is_said = false;
    FolderLock::take(root, &mut || {
        if !is_said {
            errln!("{}: waits for another process, which prepares this study or writes its page", root.display());
        }
        is_said = true;
        !given_up()
    })
}

pub fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| path.display().to_string())
}

/// A line a run, then the counts.
pub fn status(folder: &StudyFolder) -> anyhow::Result<ExitCode> {
    let width = folder.entries().iter().map(|entry| entry.name.len()).max().unwrap_or(0);
    for entry in folder.entries() {
        let run = folder.run(entry);
        let (state, status) = (folder.state(entry), Status::read(&run));
        let (status, unread) = status.map_or_else(|error| (None, Some(error.to_string())), |status| (status, None));
        let standing = match folder.standing(entry) {
            Standing::Waiting => "waiting",
            Standing::Blocked | Standing::RequirementUnmet => "blocked",
            Standing::Done(_) | Standing::Running | Standing::Ready | Standing::Failed => word(state),
        };
        let step = status.as_ref().map_or(String::new(), |status| format!("step {}", status.step));
        let said = unread.or_else(|| status.and_then(|status| status.reason));
        // Of a process that was killed, or could not be started, the folder does not know why, and may know it of an earlier one.
        let is_open = match state {
            RunState::Dead | RunState::None | RunState::Interrupted | RunState::Failed | RunState::Unreadable => true,
            RunState::Running | RunState::Finished | RunState::Diverged => false,
        };
        let silent = folder.ending(entry).filter(|_| is_open);
        let parts = [silent.or(said), folder.missed_goal(entry), folder.obstacle(entry)];
        let reason = parts.into_iter().flatten().collect::<Vec<_>>().join("; ");
        let line = format!("{:>4} {:<width$} {standing:<12} {step:<12} {reason}", entry.index, entry.name);
        outln!("{}", one_line(line.trim_end()))?;
    }
    outln!("{}", Counts::of(folder))?;
    Ok(ExitCode::SUCCESS)
}

pub fn dry_run(study: &Study, root: &Path) -> Result<(), OutputError> {
    outln!("{}: {} runs in {}", study.name(), study.entries.len(), root.display())?;
    let width = study.entries.iter().map(|entry| entry.name.len()).max().unwrap_or(0);
    for (entry, config) in study.entries.iter().zip(&study.configs) {
        let train = config.parse::<toml::Table>().ok().and_then(|mut table| table.remove("train"));
        let value = |key: &str| train.as_ref().and_then(|train| train.get(key)).map(ToString::to_string);
        let length = match (value("epochs"), value("steps")) {
            (Some(epochs), _) => format!("{epochs} epochs"),
            (None, Some(steps)) => format!("{steps} steps"),
            (None, None) => String::new(),
        };
        let parent = entry.parent.map(|parent| &study.entries[parent].name);
        let from = parent.or(entry.start.as_ref()).map_or(String::new(), |start| format!("from {start}"));
        let line = format!("{:>4} {:<width$} {length:<14} {from}", entry.index, entry.name);
        outln!("{}", one_line(line.trim_end()))?;
    }
    Ok(())
}
