//! Random walks whose noise depends on the parameter, against Brownian motion (HaoChen et al. 2021, section 3.1).

mod findings;
mod settings;
mod walk;

use saltflat_random::{Key, Stream};

pub use settings::RandomWalk;
pub use walk::Walk;

use crate::{About, Finding, Lab, Outcome, Settings, Stopped, Trial, Watch};

impl RandomWalk {
    /// Whether the walkers are looked at after this step: `rows` times, at equal distances, and at the end.
    fn is_row(&self, step: u64) -> bool {
        let RandomWalk { rows, steps, .. } = *self;
        let row = |step: u64| u128::from(step) * u128::from(rows) / u128::from(steps);
        step > 0 && row(step) > row(step - 1)
    }
}

impl Lab for RandomWalk {
    fn about(&self) -> About {
        About {
            name: RandomWalk::LAB,
            title: "Random walks with parameter-dependent noise",
            text: TEXT,
            source: "HaoChen et al. 2021, section 3.1, equations 5 and 6",
            figures: FIGURES,
        }
    }

    fn settings(&self) -> toml::Table {
        toml::Table::try_from(self).unwrap_or_default()
    }

    fn trials(&self) -> Vec<Trial> {
        let of_walk = |walk: Walk| {
            let labels = [("walk", walk.name().to_string())];
            (0..self.seeds).map(move |seed| Trial::new(&labels, seed, self.steps))
        };
        Walk::ALL.into_iter().flat_map(of_walk).collect()
    }

    fn run(&self, trial: &Trial, watch: &Watch) -> Result<Outcome, Stopped> {
        let Some(number) = Walk::ALL.iter().position(|walk| walk.name() == trial.label("walk")) else {
            return Ok(Outcome::default());
        };
        let RandomWalk { eta, steps, walkers, dimension, .. } = *self;
        let mut rng = Key::new(trial.seed, Stream::SmallWorldNoise, 0).part(number as u64).rng();
        let mut all = vec![1.0; walkers];
        let mut rows = vec![walk::seen(0, &all)];
        for step in 1..=steps {
            Walk::ALL[number].step(&mut all, eta, dimension, &mut rng);
            if self.is_row(step) {
                let row = walk::seen(step, &all);
                if row.values.values().any(|value| !value.is_finite()) {
                    return Ok(Outcome {
                        rows,
                        diverged: Some(format!("the walkers left all numbers by step {step}")),
                    });
                }
                rows.push(row);
            }
            watch.made(1)?;
        }
        Ok(Outcome { rows, diverged: None })
    }

    fn findings(&self, done: &[(Trial, Outcome)]) -> Vec<Finding> {
        findings::findings(self, done)
    }
}

const TEXT: &str = "\
Both walks start at v = 1 and have no drift. In v ← v + ηξv with ξ = ±1 the noise depends on the parameter, as label noise does; \
v ← v + ηξ with a normal ξ is Brownian motion, as spherical noise gives it. Their mean stays 1 and their variance grows. But \
the first is caught at 0: E ln(1 ± η) = ½ ln(1 − η²) < 0, so that almost every walker shrinks while a few rare ones hold up the \
mean. The paper shows it by a concave potential, E√v, which falls at each step by the factor (√(1+η) + √(1−η))/2.

In d dimensions, d such walks in parallel have noise of variance η²vₖ² in coordinate k, each its own. The third walk gives all \
coordinates of a point the same variance, the mean η²‖v‖²/d of these, so that ‖v‖ grows alike: then nothing is caught at 0. \
(The paper names η²‖v‖² per coordinate, which is the same walk at η√d.)

The numbers are ours: the paper gives none. Many walkers are made at once, and what is said of the mean and of √v is tested early, \
as long as the closed form says that walkers like the typical ones make it up: later a sample of any size misses those that do.";

const FIGURES: &str = r#"
[[figure]]
kind = "curves"
x = "step"
y = "median_abs"
log = true
title = "Median of |v|"

[[figure]]
kind = "curves"
x = "step"
y = "share_near_zero"
title = "Share of walkers with |v| below 0.001"

[[figure]]
kind = "curves"
x = "step"
y = "mean"
groups = ["parameter-dependent", "brownian"]
title = "Mean of v over the walkers"
caption = "The mean over all walks that could be made is 1. That of a sample with parameter-dependent noise falls, because the walkers that hold it up become too rare."

[[figure]]
kind = "curves"
x = "step"
y = "mean_sqrt"
log = true
title = "Potential: mean of √v"

[[figure]]
kind = "curves"
x = "step"
y = "variance"
log = true
title = "Variance over the walkers"
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LabError, Scale, read};

    fn small() -> RandomWalk {
        RandomWalk { steps: 70, walkers: 40, dimension: 8, rows: 9, seeds: 2, ..Settings::at(Scale::Smoke) }
    }

    #[test]
    fn a_trial_is_a_pure_function() {
        let (lab, watch) = (small(), Watch::default());
        let trials = lab.trials();
        let outcomes: Vec<Outcome> = trials.iter().map(|trial| lab.run(trial, &watch).unwrap()).collect();
        assert_eq!((trials.len(), watch.steps()), (6, 6 * 70));
        for (i, outcome) in outcomes.iter().enumerate() {
            let steps: Vec<u64> = outcome.rows.iter().map(|row| row.step).collect();
            assert!(steps.len() == 10 && steps[0] == 0 && steps[9] == 70 && steps.is_sorted(), "{steps:?}");
            assert_eq!(lab.run(&trials[i], &Watch::default()).unwrap(), *outcome);
            assert!(outcomes[..i].iter().all(|other| other != outcome));
        }
        // The first step from 1 is the same with both normal noises, but for the draws.
        let one = RandomWalk { steps: 1, rows: 1, ..small() };
        let first = |i: usize| one.run(&one.trials()[i], &Watch::default()).unwrap();
        assert_ne!(first(2), first(4));
        watch.stop();
        assert_eq!(lab.run(&trials[0], &watch), Err(Stopped));
        assert_eq!(lab.run(&Trial::new(&[], 0, 1), &Watch::default()).unwrap(), Outcome::default());
    }

    /// ‖v‖ grows by e^(0.45 t) or so at η = 0.99: beyond all numbers in 4000 steps.
    #[test]
    fn a_walk_that_leaves_all_numbers_ends() {
        let lab = RandomWalk { eta: 0.99, steps: 4000, ..small() };
        let outcome = lab.run(&lab.trials()[4], &Watch::default()).unwrap();
        assert!(outcome.diverged.is_some() && outcome.rows.len() < 10);
        assert!(outcome.rows.iter().all(|row| row.values.values().all(|value| value.is_finite())));
    }

    #[test]
    fn wrong_settings_are_named() {
        for (key, value) in [
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
        ] {
            let error = read::<RandomWalk>(Scale::Smoke, &[(key.into(), value.into())]).unwrap_err();
            let LabError::Settings { problems, .. } = &error else { panic!("{error}") };
            assert!(problems.iter().any(|problem| problem.starts_with(&format!("{key}: expected "))), "{error}");
        }
        for (_, scale) in Scale::ALL {
            assert!(RandomWalk::at(scale).problems().is_empty());
        }
    }
}
