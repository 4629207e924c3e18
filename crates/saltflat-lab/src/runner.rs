//! Runs the trials of a lab that are not in its folder yet.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use crate::{Lab, LabError, LabFolder, Outcome, Progress, Trial};

/// Makes the trials that the folder does not hold, as many side by side as rayon has threads, and keeps each as soon as it is
/// made. `made` is told of each. Gives all outcomes in the order of the trials, or nothing if it was told to stop before.
///
/// # Errors
/// [`LabError::Folder`] if the disk fails; what was kept stays.
pub fn run(
    lab: &dyn Lab,
    folder: &mut LabFolder,
    progress: &Progress,
    made: &(dyn Fn(&Trial, &Outcome) + Sync),
) -> Result<Option<Vec<(Trial, Outcome)>>, LabError> {
    let trials = lab.trials();
    let mut left: Vec<&Trial> = trials.iter().filter(|trial| !folder.holds(trial)).collect();
    // The longest first, so that no thread is alone with one at the end.
    left.sort_by_key(|trial| std::cmp::Reverse(trial.steps));
    let (next, kept) = (AtomicUsize::new(0), Mutex::new((&mut *folder, None)));
    rayon::scope(|scope| {
        for _ in 0..rayon::current_num_threads().min(left.len()) {
            scope.spawn(|_| {
                while let Some(trial) = left.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let Ok(outcome) = lab.run(trial, progress) else { return };
                    made(trial, &outcome);
                    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                    if let Err(error) = kept.0.keep(trial, &outcome) {
                        kept.1 = Some(error);
                        progress.stop();
                    }
                }
            });
        }
    });
    let (_, failed) = kept.into_inner().unwrap_or_else(PoisonError::into_inner);
    match failed {
        Some(error) => Err(error),
        None => folder.finish(&trials),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{Scale, Settings, quadratic::Quadratic};

    fn tiny() -> Quadratic {
        Quadratic { steps: 40, gaussian_steps: 60, rows: 4, ..Quadratic::at(Scale::Smoke) }
    }

    fn metrics(root: &std::path::Path) -> String {
        fs::read_to_string(root.join("metrics.jsonl")).unwrap()
    }

    fn make(root: &std::path::Path, progress: &Progress) -> (usize, Option<Vec<(Trial, Outcome)>>) {
        let made = AtomicUsize::new(0);
        let mut folder = LabFolder::open(root, &tiny()).unwrap();
        let count = |_: &Trial, _: &Outcome| {
            made.fetch_add(1, Ordering::SeqCst);
        };
        let done = run(&tiny(), &mut folder, progress, &count).unwrap();
        (made.into_inner(), done)
    }

    /// Stopped at any point, torn at the end, or made by one thread: the same bits.
    #[test]
    fn what_is_left_is_made_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let [whole, parts] = ["whole", "parts"].map(|name| folder.path().join(name));
        let (made, done) = make(&whole, &Progress::default());
        assert_eq!((made, done.unwrap().len()), (10, 10));
        let stopped = Progress::default();
        stopped.stop();
        let (made, done) = make(&parts, &stopped);
        assert_eq!((made, done), (0, None));
        let status = |root: &std::path::Path| fs::read_to_string(root.join("status.json")).unwrap();
        assert!(status(&parts).contains("interrupted") && status(&parts).contains("0 of 10"));
        // Three and a half trials, of which the first two are there and the third has lost its beginning.
        let lines: Vec<String> = metrics(&whole).lines().map(|line| format!("{line}\n")).collect();
        let torn = lines[..12].concat() + &lines[17..21].concat() + &lines[21][..30];
        // Torn within a letter, which made the folder unreadable.
        fs::write(parts.join("metrics.jsonl"), [torn.as_bytes(), &"²".as_bytes()[..1]].concat()).unwrap();
        let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let (made, done) = one.install(|| make(&parts, &Progress::default()));
        assert_eq!((made, done.is_some()), (8, true));
        assert_eq!(metrics(&parts), metrics(&whole));
        assert!(status(&parts).contains("finished"));
        let (made, again) = make(&parts, &Progress::default());
        assert_eq!((made, again), (0, make(&whole, &Progress::default()).1));
    }

    #[test]
    fn a_folder_belongs_to_its_settings_and_to_one_process() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("lab");
        let held = LabFolder::open(&root, &tiny()).unwrap();
        assert!(matches!(LabFolder::open(&root, &tiny()), Err(LabError::Locked(_))));
        drop(held);
        let other = Quadratic { lr: 0.5, ..tiny() };
        assert!(matches!(LabFolder::open(&root, &other), Err(LabError::Changed(_))));
        assert!(LabFolder::open(&root, &tiny()).is_ok());
        fs::write(folder.path().join("notes.txt"), "mine").unwrap();
        assert!(matches!(LabFolder::open(folder.path(), &tiny()), Err(LabError::Changed(_))));
    }
}
