//! How far the runs of a study are, what keeps them from being started, and whether they reached what is required of them.

use std::{collections::BTreeMap, fs, iter::successors, path::Path};

use saltflat_record::{Entry, RunState, is_locked, last_row, value};
use saltflat_train::config::BestBy;
use toml::Table;

use crate::folder::StudyFolder;

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
    RequirementUnmet,
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
                (1, true) => Standing::RequirementUnmet,
                (_, false) => Standing::Waiting,
                (_, true) => Standing::Blocked,
            },
            (1, Standing::Ready) => Standing::Ready,
            (_, Standing::Running | Standing::Ready) => Standing::Waiting,
            (
                _,
                Standing::Done(_)
                | Standing::Failed
                | Standing::Waiting
                | Standing::Blocked
                | Standing::RequirementUnmet,
            ) => Standing::Blocked,
        }
    }

    /// What keeps a run from being started, if anything does.
    pub fn obstacle(&self, entry: &Entry) -> Option<String> {
        let parent = self.parent(entry)?;
        let name = &parent.name;
        match self.standing(entry) {
            Standing::Done(_) | Standing::Running | Standing::Ready | Standing::Failed => None,
            Standing::Waiting => Some(format!("the run that it starts from, {name}, is not done")),
            Standing::RequirementUnmet => self.lacking(entry),
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
            let lacking = lacking(&self.run(parent), &entry.require)?;
            Some(format!("{}: {lacking}, which stage.{}.require asks for", parent.name, entry.stage))
        };
        known.entry(entry.index).or_insert_with(lacking).clone()
    }

    /// The goal at which a run was to end (`train.stop_accuracy`, `train.stop_loss`), if it is finished without.
    pub fn missed_goal(&self, entry: &Entry) -> Option<String> {
        if self.state(entry) != RunState::Finished {
            return None;
        }
        missed_goal(&self.run(entry), &fs::read_to_string(self.config(entry)).ok()?)
    }
}

/// What the last measurement of a run lacks of what is required of it: accuracies at least, losses at most.
fn lacking(run: &Path, require: &BTreeMap<String, f64>) -> Option<String> {
    let row = match last_row(run, "measurement") {
        Ok(row) => row,
        Err(e) => return Some(format!("its rows cannot be read ({e})")),
    };
    let of = |(name, &required): (&String, &f64)| {
        let value = row.as_ref().and_then(|row| value(row, name));
        let Some(value) = value else { return Some(format!("no {name} was measured at its end")) };
        let (_, by) = BestBy::ALL.into_iter().find(|(known, _)| known == name)?;
        // Equal is enough.
        let reached = value == required || by.is_better(value, required);
        (!reached).then(|| format!("it ended with {name} = {value}, not {} {required}", bound(by)))
    };
    let lacking: Vec<String> = require.iter().filter_map(of).collect();
    (!lacking.is_empty()).then(|| lacking.join(", and "))
}

fn bound(by: BestBy) -> &'static str {
    match by {
        BestBy::Accuracy | BestBy::TestAccuracy => "at least",
        BestBy::Loss | BestBy::TestLoss => "at most",
    }
}

/// The goals of a finished run that ended without having reached one, with what its last epoch reached.
fn missed_goal(run: &Path, config: &str) -> Option<String> {
    let config: Table = config.parse().ok()?;
    let goal = |key: &str| config.get("train")?.get(key)?.as_float();
    let epoch = last_row(run, "epoch").ok()?;
    let value = |key: &str| value(epoch.as_ref()?, key);
    let (loss, accuracy) = (goal("stop_loss"), goal("stop_accuracy"));
    let reached = loss.zip(value("running_loss")).is_some_and(|(goal, value)| value <= goal)
        || accuracy.zip(value("running_accuracy")).is_some_and(|(goal, value)| value >= goal);
    let missed = |key: &str, goal: Option<f64>, row: &str| {
        let found = value(row).map_or("not known".into(), |value| value.to_string());
        goal.map(|goal| {
            format!("train.{key} = {goal} was not reached ({} of the last epoch: {found})", row.replace('_', " "))
        })
    };
    let missed: Vec<String> =
        [missed("stop_accuracy", accuracy, "running_accuracy"), missed("stop_loss", loss, "running_loss")]
            .into_iter()
            .flatten()
            .collect();
    (!reached && !missed.is_empty()).then(|| missed.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(rows: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("metrics.jsonl"), rows).expect("rows");
        folder
    }

    #[test]
    fn what_a_start_lacks() {
        let folder = run("{\"kind\":\"measurement\",\"metrics\":{\"accuracy\":{\"value\":0.5}}}\n\
             {\"kind\":\"measurement\",\"metrics\":{\"accuracy\":{\"value\":0.95},\"loss\":{\"value\":0.2}}}\n\
             {\"kind\":\"epoch\",\"running_loss\":0.1}\n{\"kind\":\"meas");
        let lacking = |require: &[(&str, f64)]| {
            let require = require.iter().map(|(name, value)| (name.to_string(), *value)).collect();
            lacking(folder.path(), &require)
        };
        assert_eq!(lacking(&[("accuracy", 0.95), ("loss", 0.2)]), None);
        assert_eq!(lacking(&[("accuracy", 0.9), ("loss", 0.3)]), None);
        let expected =
            "it ended with accuracy = 0.95, not at least 0.999, and it ended with loss = 0.2, not at most 0.1";
        assert_eq!(lacking(&[("accuracy", 0.999), ("loss", 0.1)]).as_deref(), Some(expected));
        assert_eq!(lacking(&[("test_loss", 1.0)]).as_deref(), Some("no test_loss was measured at its end"));
        fs::remove_file(folder.path().join("metrics.jsonl")).expect("rows");
        let said = lacking(&[("loss", 1.0)]).expect("a reason");
        assert!(said.starts_with("its rows cannot be read ("), "{said}");
    }

    #[test]
    fn a_goal_that_was_not_reached() {
        let folder = run("{\"kind\":\"epoch\",\"running_loss\":0.3,\"running_accuracy\":0.9}\n");
        let missed = |train: &str| missed_goal(folder.path(), &format!("[train]\n{train}\n"));
        assert_eq!(missed("epochs = 3"), None);
        assert_eq!(missed("stop_accuracy = 0.9"), None);
        // One of two is enough, as in training.
        assert_eq!(missed("stop_accuracy = 0.9\nstop_loss = 0.1"), None);
        let expected = "train.stop_accuracy = 0.999 was not reached (running accuracy of the last epoch: 0.9)";
        assert_eq!(missed("stop_accuracy = 0.999").as_deref(), Some(expected));
    }
}
