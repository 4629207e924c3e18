//! Linearised SGD on quadratic losses: where it diverges, beside the lines of Dexter et al. 2024.

mod construction;
mod diagram;
mod findings;
mod sampling;
mod settings;
mod trajectory;

use saltflat_random::{Key, Stream};

pub use construction::{Construction, SampleLoss};
pub use sampling::Sampling;
pub use settings::LinearStability;

use crate::{Finding, Lab, Outcome, Progress, Row, Stopped, Trial};
use sampling::LogFactorials;
use trajectory::{Ending, Rule, Trajectory};

/// What a diagram runs over beside the batch size.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Diagram {
    /// The coherence, at a learning rate.
    Sigma { eta: f64 },
    /// The learning rate, at a coherence.
    Eta { sigma: usize },
}

impl Diagram {
    fn name(self) -> String {
        match self {
            Diagram::Sigma { eta } => format!("sigma and batch size at eta {eta}"),
            Diagram::Eta { sigma } => format!("eta and batch size at sigma {sigma}"),
        }
    }

    /// The name of the axis below in rows.
    fn axis(self) -> &'static str {
        match self {
            Diagram::Sigma { .. } => "sigma",
            Diagram::Eta { .. } => "eta",
        }
    }

    /// Its columns: place along the axis below, coherence, learning rate.
    fn columns(self, settings: &LinearStability) -> Vec<(f64, usize, f64)> {
        match self {
            Diagram::Sigma { eta } => settings.sigmas().into_iter().map(|sigma| (sigma as f64, sigma, eta)).collect(),
            Diagram::Eta { sigma } => settings.eta_grid().into_iter().map(|eta| (eta, sigma, eta)).collect(),
        }
    }
}

impl LinearStability {
    fn diagrams(&self) -> Vec<Diagram> {
        let of_sigma = self.etas.iter().map(|&eta| Diagram::Sigma { eta });
        let of_eta = (self.eta_count > 0).then_some(Diagram::Eta { sigma: self.sigma });
        of_sigma.chain(of_eta).collect()
    }

    /// What the labels of a trial name, and its number among the trials of its seed.
    fn diagram_of(&self, trial: &Trial) -> Option<(Diagram, Sampling, u64)> {
        let diagrams = self.diagrams();
        let diagram = diagrams.iter().position(|d| d.name() == trial.label("diagram"))?;
        let sampling = self.samplings.iter().position(|s| s.name() == trial.label("sampling"))?;
        let number = diagram * self.samplings.len() + sampling;
        Some((diagrams[diagram], self.samplings[sampling], number as u64))
    }
}

impl Lab for LinearStability {
    fn trials(&self) -> Vec<Trial> {
        let LinearStability { samplings, seeds, steps, repetitions, .. } = self;
        let mut trials = Vec::new();
        for diagram in self.diagrams() {
            let cells = diagram.columns(self).len() * self.batch_sizes().len();
            let steps = (cells as u64 * u64::from(*repetitions)).saturating_mul(*steps);
            for sampling in samplings {
                let labels = [("diagram", diagram.name()), ("sampling", sampling.name().to_string())];
                trials.extend(Trial::for_seeds(&labels, *seeds, steps));
            }
        }
        trials
    }

    fn run(&self, trial: &Trial, progress: &Progress) -> Result<Outcome, Stopped> {
        let Some((diagram, sampling, number)) = self.diagram_of(trial) else { return Ok(Outcome::default()) };
        let mut rng = Key::new(trial.seed, Stream::LabNoise, 0).part(number).rng();
        let rule = Rule { steps: self.steps, factor: self.factor };
        let logs = LogFactorials::up_to(self.n);
        let mut rows = Vec::new();
        for (x, sigma, eta) in diagram.columns(self) {
            let construction = Construction::new(self.n, sigma, self.loss);
            let lines = [
                ("theorem_1_batch_size", construction.theorem_1_batch_size(eta)),
                ("theorem_2_batch_size", construction.theorem_2_batch_size(eta)),
                ("mean_square_batch_size", construction.mean_square_batch_size(eta, sampling)),
                ("almost_sure_batch_size", construction.almost_sure_batch_size(&logs, eta, sampling) as f64),
            ];
            for batch_size in self.batch_sizes() {
                let mut trajectory = Trajectory::new(&construction, eta, batch_size, sampling);
                let (mut diverged, mut decayed) = (0, 0);
                for _ in 0..self.repetitions {
                    match trajectory.run(rule, &mut rng) {
                        Ending::Diverged => diverged += 1,
                        Ending::Decayed => decayed += 1,
                        Ending::Between => {}
                    }
                    // All steps of a repetition that ended early need no more making.
                    progress.advance(self.steps)?;
                }
                let share = |times: u32| f64::from(times) / f64::from(self.repetitions);
                let lyapunov = construction.lyapunov_exponent(&logs, eta, batch_size, sampling);
                let cell = [
                    (diagram.axis(), x),
                    ("batch_size", batch_size as f64),
                    ("diverged", share(diverged)),
                    ("decayed", share(decayed)),
                    ("cell", f64::from(u8::from(2 * diverged > self.repetitions))),
                    ("lyapunov_exponent", lyapunov),
                ];
                rows.push(Row::new(rows.len() as u64, &[&lines[..], &cell].concat()));
            }
        }
        Ok(Outcome { rows, diverged: None })
    }

    fn findings(&self, done: &[(Trial, Outcome)]) -> Vec<Finding> {
        findings::all(done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Scale, Settings, testing::assert_refused};

    fn small() -> LinearStability {
        LinearStability {
            n: 12,
            etas: vec![0.6],
            sigma: 3,
            sigma_step: 3,
            eta_count: 4,
            batch_size_step: 1,
            samplings: vec![Sampling::Bernoulli, Sampling::WithReplacement],
            seeds: 2,
            ..Settings::at(Scale::Smoke)
        }
    }

    #[test]
    fn a_trial_is_a_diagram_and_a_pure_function() {
        // So few steps that many repetitions end between the factors.
        let lab = LinearStability { steps: 60, ..small() };
        let progress = Progress::default();
        let trials = lab.trials();
        assert_eq!((trials.len(), trials[0].steps), (8, 4 * 12 * 5 * 60));
        let outcomes: Vec<Outcome> = trials.iter().map(|trial| lab.run(trial, &progress).unwrap()).collect();
        assert_eq!(progress.steps(), trials.iter().map(|trial| trial.steps).sum::<u64>());
        assert_eq!(lab.run(&trials[3], &Progress::default()).unwrap(), outcomes[3]);
        assert_ne!(outcomes[0], outcomes[1]);
        for outcome in &outcomes {
            assert!(outcome.rows.len() == 48 && outcome.rows.iter().enumerate().all(|(i, row)| row.step == i as u64));
        }
        assert!(outcomes[0].rows[13].values["sigma"] == 4.0 && outcomes[0].rows[13].values["batch_size"] == 2.0);
        assert_eq!(outcomes[4].rows[47].values["eta"], 1.0);
        // Two diagrams of nearly one rate differ in their draws.
        let alike = LinearStability { etas: vec![0.6, 0.6 + 1e-12], steps: 60, eta_count: 0, ..small() };
        let lab_of_two = alike;
        let shares = |i: usize| -> Vec<f64> {
            let outcome = lab_of_two.run(&lab_of_two.trials()[i], &Progress::default()).unwrap();
            outcome.rows.iter().map(|row| row.values["decayed"]).collect()
        };
        assert_ne!(shares(0), shares(4));
        progress.stop();
        assert_eq!(lab.run(&trials[0], &progress), Err(Stopped));
        assert_eq!(lab.run(&Trial::new(&[], 0, 1), &Progress::default()).unwrap(), Outcome::default());
    }

    /// σ = n without replacement is gradient descent in one dimension: 1 − ηλ₁ = −0.2 at η = 0.6. With batches of one and
    /// σ = 1, a coordinate is hit one time in 12 and multiplied by 1 − 0.6·24.
    #[test]
    fn cells_whose_end_is_known() {
        let settings = LinearStability {
            sigma_step: 11,
            samplings: vec![Sampling::WithoutReplacement],
            eta_count: 0,
            seeds: 1,
            ..small()
        };
        let lab = settings;
        let outcome = lab.run(&lab.trials()[0], &Progress::default()).unwrap();
        for row in &outcome.rows {
            let at = |name: &str| row.values[name];
            if at("sigma") == 12.0 {
                assert_eq!((at("diverged"), at("decayed"), at("cell")), (0.0, 1.0, 0.0));
                assert!((at("lyapunov_exponent") - 0.2f64.ln()).abs() < 1e-12);
            } else if at("batch_size") == 1.0 {
                assert_eq!((at("diverged"), at("cell")), (1.0, 1.0));
                assert!((at("lyapunov_exponent") - 13.4f64.ln() / 12.0).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn wrong_settings_are_named() {
        assert_refused::<LinearStability>(&[
            ("n", "1"),
            ("sigma", "0"),
            ("sigma", "101"),
            ("sigma_step", "0"),
            ("batch_size_step", "0"),
            ("steps", "0"),
            ("repetitions", "0"),
            ("etas", "[-0.5]"),
            ("etas", "[0.5, 0.5]"),
            ("eta_min", "0"),
            ("eta_max", "0.01"),
            ("eta_max", "inf"),
            ("factor", "1"),
            ("samplings", "[]"),
            ("seeds", "0"),
        ]);
        // The borders of a grid whatever its step: no diagram is empty.
        assert_eq!(small().batch_sizes().len(), 12);
        assert_eq!(small().eta_grid().last(), Some(&1.0));
    }
}
