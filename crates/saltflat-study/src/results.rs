//! Whether a run reached what is required of it.

use std::{collections::BTreeMap, path::Path};

use saltflat_record::{last_row, value};
use saltflat_train::config::BestBy;
use toml::Table;

/// What the last measurement of a run lacks of what is required of it: accuracies at least, losses at most.
pub(crate) fn lacking(run: &Path, require: &BTreeMap<String, f64>) -> Option<String> {
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
pub(crate) fn missed_goal(run: &Path, config: &str) -> Option<String> {
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
    use std::fs;

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
