//! How far the runs of a study are, and what keeps them from being started.

use std::{fs, iter::successors};

use saltflat_record::{Entry, RunState, is_locked};

use crate::{folder::StudyFolder, results};

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It ended, or diverged, which is a result as well.
    Done(RunState),
    /// A process works on it.
    Running,
    /// It can be started, or resumed.
    Ready,
    /// It ended by an error.
    Failed,
    /// The run that it starts from is not done.
    Waiting,
    /// A run before it failed, diverged, or is blocked itself.
    Blocked,
    /// The run that it starts from is finished, and did not reach what the stage requires of it.
    Unmet,
}

impl StudyFolder {
    /// How far a run's process is; running also before its process has made its folder.
    pub fn state(&self, entry: &Entry) -> RunState {
        if let Some(done) = self.done.borrow().get(&entry.index) {
            return *done;
        }
        // A log that cannot be opened says nothing about the run; whoever wants to start it fails at the claim.
        match cfg!(unix) && is_locked(&self.log(entry)).unwrap_or(false) {
            true => RunState::Running,
            false => self.state_of_claimed(entry),
        }
    }

    /// As [`state`](Self::state), for who holds the [claim](Self::claim) of the run: as its folder says.
    pub fn state_of_claimed(&self, entry: &Entry) -> RunState {
        let state = RunState::of(&self.run(entry));
        if matches!(state, RunState::Finished | RunState::Diverged) {
            self.done.borrow_mut().insert(entry.index, state);
        }
        state
    }

    /// How far a run is.
    pub fn standing(&self, entry: &Entry) -> Standing {
        // From the run to the first one before it that has begun. Not by recursion: a manifest may hold any chain.
        let chain = successors(Some(entry), |entry| self.parent(entry));
        let mut waiting: Vec<&Entry> = Vec::new();
        let mut end = Standing::Ready;
        for before in chain {
            end = match self.state(before) {
                state @ (RunState::Finished | RunState::Diverged) => Standing::Done(state),
                RunState::Running => Standing::Running,
                RunState::Failed | RunState::Unreadable => Standing::Failed,
                RunState::Interrupted | RunState::Dead | RunState::None => {
                    waiting.push(before);
                    continue;
                }
            };
            break;
        }
        let Some(next) = waiting.last() else { return end };
        match (waiting.len(), end) {
            (waits, Standing::Done(RunState::Finished)) => match (waits, self.lacking(next).is_some()) {
                (1, false) => Standing::Ready,
                (1, true) => Standing::Unmet,
                (_, false) => Standing::Waiting,
                (_, true) => Standing::Blocked,
            },
            (1, Standing::Ready) => Standing::Ready,
            (_, Standing::Running | Standing::Ready) => Standing::Waiting,
            (_, Standing::Done(_) | Standing::Failed | Standing::Waiting | Standing::Blocked | Standing::Unmet) => {
                Standing::Blocked
            }
        }
    }

    /// What keeps a run from being started, if anything does.
    pub fn obstacle(&self, entry: &Entry) -> Option<String> {
        let parent = self.parent(entry)?;
        let name = &parent.name;
        match self.standing(entry) {
            Standing::Done(_) | Standing::Running | Standing::Ready | Standing::Failed => None,
            Standing::Waiting => Some(format!("the run that it starts from, {name}, is not done")),
            Standing::Unmet => self.lacking(entry),
            Standing::Blocked => Some(match self.state(parent) {
                RunState::Diverged => format!("the run that it starts from, {name}, diverged"),
                RunState::Failed => format!("the run that it starts from, {name}, failed"),
                RunState::Unreadable => {
                    format!("the folder of the run that it starts from, {name}, cannot be read")
                }
                _ => format!("the run that it starts from, {name}, cannot start"),
            }),
        }
    }

    /// What a finished start lacks of what its stage requires.
    fn lacking(&self, entry: &Entry) -> Option<String> {
        let parent = self.parent(entry).filter(|_| !entry.require.is_empty())?;
        let mut known = self.lacking.borrow_mut();
        let lacking = || {
            let lacking = results::lacking(&self.run(parent), &entry.require)?;
            Some(format!("{}: {lacking}, which stage.{}.require asks for", parent.name, entry.stage))
        };
        known.entry(entry.index).or_insert_with(lacking).clone()
    }

    /// The goal at which a run was to end (`train.stop_accuracy`, `train.stop_loss`), if it is finished without.
    pub fn missed_goal(&self, entry: &Entry) -> Option<String> {
        if self.state(entry) != RunState::Finished {
            return None;
        }
        results::missed_goal(&self.run(entry), &fs::read_to_string(self.config(entry)).ok()?)
    }
}
