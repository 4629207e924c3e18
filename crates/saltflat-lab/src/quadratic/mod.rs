//! The quadratically parametrised model: gradient descent overfits, label noise finds the sparse truth. HaoChen, Wei, Lee, Ma
//! 2021, figure 1 (right), appendix A.1.

mod findings;
mod model;
mod noise;
mod settings;

pub use model::{Data, Iterate};
pub use noise::{Draws, LabelNoise, Noise, Shape};
pub use settings::{NoiseName, Quadratic};

use saltflat_random::{Key, Stream};

use crate::{Finding, Lab, Outcome, Progress, Row, Stopped, Trial};

/// Beyond this ‖v‖² a trajectory has diverged.
const TOO_FAR: f64 = 1e12;

/// Multiplications between two calls of [`Progress::advance`], about.
const MULTIPLICATIONS_PER_REPORT: usize = 1 << 22;

impl Lab for Quadratic {
    fn trials(&self) -> Vec<Trial> {
        let of_series =
            |(label, noise): (String, Noise)| Trial::for_seeds(&[("noise", label)], self.seeds, self.steps_of(noise));
        self.series().into_iter().flat_map(of_series).collect()
    }

    fn run(&self, trial: &Trial, progress: &Progress) -> Result<Outcome, Stopped> {
        let series = self.series();
        let Some(index) = series.iter().position(|(label, _)| label == trial.label("noise")) else {
            return Ok(Outcome::default());
        };
        let noise = series[index].1;
        let data = Data::new(self.dimension, self.samples, self.ones, trial.seed);
        let rng = Key::new(trial.seed, Stream::LabNoise, 0).part(index as u64).rng();
        let mut draws = Draws::new(noise, self.delta, self.label_noise, &data, rng);
        let mut point = Iterate::new(&data, self.start);
        let steps = self.steps_of(noise);
        let mut outcome = Outcome { rows: vec![row(&point, 0, self.lr(noise, 0), 0.0)], diverged: None };
        let share = |step: u64| step as f64 / steps as f64;
        let per_report = (MULTIPLICATIONS_PER_REPORT / (self.samples * self.dimension).max(1)).clamp(1, 1024) as u64;
        let (mut step, mut reported) = (0, 0);
        for end in 1..=self.rows.min(steps) {
            let next = (u128::from(end) * u128::from(steps) / u128::from(self.rows.min(steps))) as u64;
            while step < next {
                draws.step(&mut point, &data, self.lr(noise, step));
                step += 1;
                if step - reported == per_report || step == next {
                    progress.advance(step - reported)?;
                    reported = step;
                }
            }
            let norm: f64 = point.v().iter().map(|v| v * v).sum();
            if !norm.is_finite() || norm > TOO_FAR {
                outcome.diverged = Some(format!("|v|² is {norm:e} at step {step}"));
                break;
            }
            outcome.rows.push(row(&point, step, self.lr(noise, step), share(step)));
        }
        Ok(outcome)
    }

    fn findings(&self, done: &[(Trial, Outcome)]) -> Vec<Finding> {
        findings::all(self, done)
    }
}

/// `share`: of the trajectory's steps, which places series of different lengths in one figure.
fn row(point: &Iterate<'_>, step: u64, lr: f64, share: f64) -> Row {
    let (train, test) = point.errors();
    let norm = point.v().iter().map(|v| v * v).sum::<f64>().sqrt();
    let values = [("train_error", train), ("test_error", test), ("norm", norm), ("lr", lr), ("share", share)];
    Row::new(step, &values)
}
