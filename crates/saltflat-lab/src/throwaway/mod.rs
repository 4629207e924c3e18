//! Random walks whose noise depends on the parameter, against Brownian motion (HaoChen et al. 2021, section 3.1).

mod findings;
mod settings;
mod walk;

use saltflat_random::{Key, Stream};

pub use settings::ThrowawayLab;
pub use walk::Walk;

use crate::{Finding, Lab, Outcome, Progress, Stopped, Trial};

impl ThrowawayLab {
    /// Whether there is a row of the walkers after this step: `rows` times, at equal distances, and at the end.
    fn is_row(&self, step: u64) -> bool {
        let ThrowawayLab { rows, steps, .. } = *self;
        let row = |step: u64| u128::from(step) * u128::from(rows) / u128::from(steps);
        step > 0 && row(step) > row(step - 1)
    }
}

impl Lab for ThrowawayLab {
    fn trials(&self) -> Vec<Trial> {
        let trials = |(name, _): (&str, Walk)| Trial::for_seeds(&[("walk", name.to_string())], self.seeds, self.steps);
        Walk::ALL.into_iter().flat_map(trials).collect()
    }

    fn run(&self, trial: &Trial, progress: &Progress) -> Result<Outcome, Stopped> {
        let Some(walk) = Walk::from_name(trial.label("walk")) else { return Ok(Outcome::default()) };
        let ThrowawayLab { eta, steps, walkers, dimension, .. } = *self;
        let mut rng = Key::new(trial.seed, Stream::LabNoise, 0).part(walk as u64).rng();
        let mut all = vec![1.0; walkers];
        let mut rows = vec![walk::statistics_of(0, &all)];
        for step in 1..=steps {
            walk.step(&mut all, eta, dimension, &mut rng);
            if self.is_row(step) {
                let row = walk::statistics_of(step, &all);
                if row.values.values().any(|value| !value.is_finite()) {
                    return Ok(Outcome {
                        rows,
                        diverged: Some(format!("the walkers left all numbers by step {step}")),
                    });
                }
                rows.push(row);
            }
            progress.advance(1)?;
        }
        Ok(Outcome { rows, diverged: None })
    }

    fn findings(&self, done: &[(Trial, Outcome)]) -> Vec<Finding> {
        findings::all(self, done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Scale, Settings, testing::assert_refused};

    fn small() -> ThrowawayLab {
        ThrowawayLab { steps: 70, walkers: 40, dimension: 8, rows: 9, seeds: 2, ..Settings::at(Scale::Smoke) }
    }

    #[test]
    fn a_trial_is_a_pure_function() {
        let (lab, progress) = (small(), Progress::default());
        let trials = lab.trials();
        let outcomes: Vec<Outcome> = trials.iter().map(|trial| lab.run(trial, &progress).unwrap()).collect();
        assert_eq!((trials.len(), progress.steps()), (6, 6 * 70));
        for (i, outcome) in outcomes.iter().enumerate() {
            let steps: Vec<u64> = outcome.rows.iter().map(|row| row.step).collect();
            assert!(steps.len() == 10 && steps[0] == 0 && steps[9] == 70 && steps.is_sorted(), "{steps:?}");
            assert_eq!(lab.run(&trials[i], &Progress::default()).unwrap(), *outcome);
            assert!(outcomes[..i].iter().all(|other| other != outcome));
        }
        // The first step from 1 is the same with both normal noises, but for the draws.
        let one = ThrowawayLab { steps: 1, rows: 1, ..small() };
        let first = |i: usize| one.run(&one.trials()[i], &Progress::default()).unwrap();
        assert_ne!(first(2), first(4));
        progress.stop();
        assert_eq!(lab.run(&trials[0], &progress), Err(Stopped));
        assert_eq!(lab.run(&Trial::new(&[], 0, 1), &Progress::default()).unwrap(), Outcome::default());
    }

    /// ‖v‖ grows by e^(0.45 t) or so at η = 0.99: beyond all numbers in 4000 steps.
    #[test]
    fn a_walk_that_leaves_all_numbers_ends() {
        let lab = ThrowawayLab { eta: 0.99, steps: 4000, ..small() };
        let outcome = lab.run(&lab.trials()[4], &Progress::default()).unwrap();
        assert!(outcome.diverged.is_some() && outcome.rows.len() < 10);
        assert!(outcome.rows.iter().all(|row| row.values.values().all(|value| value.is_finite())));
    }

    #[test]
    fn wrong_settings_are_named() {
        assert_refused::<ThrowawayLab>(&[
            ("eta", "0"),
            ("eta", "1"),
            ("eta", "-0.1"),
            ("steps", "0"),
            ("walkers", "1"),
            ("dimension", "0"),
            ("dimension", "7"),
            ("rows", "0"),
            ("rows", "1001"),
            ("seeds", "0"),
        ]);
    }
}
