//! Label-noise SGD is coupled to gradient descent on L + λR (Damian, Ma, Lee 2021, Lemma 1).

mod findings;
mod model;
mod settings;
mod trajectory;

use saltflat_random::{Key, Stream};

pub use settings::Coupling;

use crate::{Finding, Lab, Outcome, Progress, Stopped, Trial};
use model::Model;
use settings::Case;
use trajectory::CoupledTrajectory;

/// Steps between two calls of [`Progress::advance`].
const STEPS_PER_REPORT: u64 = 100;

impl Lab for Coupling {
    fn trials(&self) -> Vec<Trial> {
        let trials = |(labels, noise): Case| Trial::for_seeds(&labels, self.seeds, self.lengths(&noise).1);
        self.cases().into_iter().flat_map(trials).collect()
    }

    fn run(&self, trial: &Trial, progress: &Progress) -> Result<Outcome, Stopped> {
        let cases = self.cases();
        let is_this = |(labels, _): &Case| Trial::new(labels, trial.seed, trial.steps).labels == trial.labels;
        let Some((k, (_, noise))) = cases.iter().enumerate().find(|(_, case)| is_this(case)) else {
            return Ok(Outcome {
                rows: Vec::new(),
                diverged: Some("there is no such trial under these settings".into()),
            });
        };
        let mut data = Key::new(trial.seed, Stream::Lab, 0).rng();
        let (model, start) = Model::with_minimiser(self.dimension as usize, self.samples as usize, &mut data);
        let rng = Key::new(trial.seed, Stream::LabNoise, 0).part(k as u64).rng();
        let (window, steps) = self.lengths(noise);
        let every = steps.div_ceil(self.rows);
        let mut trajectory = CoupledTrajectory::new(&model, start, *noise, window, rng);
        let mut rows = vec![trajectory.row()];
        for step in 1..=steps {
            if let Err(problem) = trajectory.step() {
                return Ok(Outcome { rows, diverged: Some(problem) });
            }
            if step % STEPS_PER_REPORT == 0 {
                progress.advance(STEPS_PER_REPORT)?;
            }
            if step % every == 0 || step == steps || step == window {
                rows.push(trajectory.row());
            }
        }
        progress.advance(steps % STEPS_PER_REPORT)?;
        Ok(Outcome { rows, diverged: None })
    }

    fn findings(&self, done: &[(Trial, Outcome)]) -> Vec<Finding> {
        findings::all(done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_refused, run_all, with};

    #[test]
    fn the_lemma_is_seen() {
        let lab = with::<Coupling>(&[]).unwrap();
        let done = run_all(&lab);
        let findings = lab.findings(&done);
        let of_labels: Vec<_> = findings.iter().filter(|f| f.claim.starts_with("Varied label noise")).collect();
        assert_eq!(of_labels.len(), 5);
        assert!(of_labels.iter().all(|f| f.holds == Some(true)), "{findings:#?}");
        assert!(findings.last().is_some_and(|f| f.holds == Some(true) && f.claim.starts_with("Without label noise")));
        assert!(lab.findings(&[]).is_empty());
        // Every step is counted, and a trial is a pure function.
        let progress = Progress::default();
        assert_eq!(lab.run(&done[4].0, &progress).unwrap(), done[4].1);
        assert_eq!(progress.steps(), done[4].0.steps);
    }

    /// Coupled to the wrong regularized trajectory, such as one with errors as large as the movement, the findings say so.
    #[test]
    fn findings_follow_the_rows() {
        let lab = with::<Coupling>(&[("seeds", "2"), ("lrs", "[]")]).unwrap();
        let mut done = run_all(&lab);
        for (trial, outcome) in &mut done {
            let lambda: f64 = trial.label("lambda").parse().unwrap();
            for row in &mut outcome.rows {
                row.values.insert("first_r_max".into(), lambda.sqrt());
                row.values.insert("first_xi_max".into(), lambda);
                row.values.insert("first_movement_max".into(), lambda);
                row.values.insert("regularizer_ratio".into(), 1.0);
                row.values.insert("xi_sq_over_stationary".into(), 2.0 + 0.001 * trial.seed as f64);
            }
        }
        let holds: Vec<_> = lab.findings(&done).iter().map(|f| f.holds).collect();
        assert_eq!(holds, [Some(false); 5]);
    }

    #[test]
    fn leaving_the_bounds_is_a_result() {
        let lab = with::<Coupling>(&[("lr", "1.9"), ("sigmas", "[8.0]"), ("lrs", "[]"), ("horizon", "1000")]).unwrap();
        let done = run_all(&lab);
        assert!(done.iter().any(|(_, outcome)| outcome.diverged.as_ref().is_some_and(|why| why.starts_with("step "))));
        assert!(lab.findings(&done).iter().any(|f| f.holds == Some(false) && f.claim.contains("R has a value")));
    }

    #[test]
    fn wrong_settings_name_their_keys() {
        assert_refused::<Coupling>(&[
            ("lr", "2.0"),
            ("lrs", "[0.1, -0.1]"),
            ("lrs", "[0.1, 0.1]"),
            ("sigma", "-1.0"),
            ("sigmas", "[0.0]"),
            ("samples", "6"),
            ("dimension", "1"),
            ("batch_size", "0"),
            ("seeds", "0"),
            ("window", "0"),
            ("horizon", "inf"),
        ]);
        let error = with::<Coupling>(&[("lr", "2.0")]).unwrap_err().to_string();
        assert!(error.contains("R has no value from lr · λ₁ = 2 on"), "{error}");
    }
}
