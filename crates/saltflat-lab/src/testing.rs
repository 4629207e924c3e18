//! What the tests of several labs share.

use crate::{Lab, LabError, Outcome, Progress, Scale, Settings, Trial, read};

/// Every trial of a lab with its outcome.
pub(crate) fn run_all(lab: &dyn Lab) -> Vec<(Trial, Outcome)> {
    let progress = Progress::default();
    lab.trials().into_iter().map(|trial| (trial.clone(), lab.run(&trial, &progress).unwrap())).collect()
}

/// The smoke scale with these changes.
pub(crate) fn with<S: Settings>(changes: &[(&str, &str)]) -> Result<S, LabError> {
    let changes: Vec<(String, String)> = changes.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    read(Scale::Smoke, &changes)
}

/// Each change by itself is refused with a problem of its key, and the settings of every scale are accepted.
pub(crate) fn assert_refused<S: Settings>(wrong: &[(&str, &str)]) {
    for change @ (key, _) in wrong {
        let Err(LabError::Settings { problems, .. }) = with::<S>(&[*change]) else { panic!("{change:?}") };
        let of_key = |problem: &saltflat_config::Problem| problem.key == *key && problem.text.starts_with("expected ");
        assert!(problems.iter().any(of_key), "{change:?}: {problems:?}");
    }
    for (_, scale) in Scale::ALL {
        assert!(read::<S>(scale, &[]).is_ok());
    }
}
