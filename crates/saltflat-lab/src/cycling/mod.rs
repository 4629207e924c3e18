//! Minibatch SGD that goes round a circle of minima for ever (Damian, Ma, Lee 2021, appendix F.2).

mod findings;
mod settings;
mod world;

use std::{
    collections::VecDeque,
    f64::consts::{PI, TAU},
};

use saltflat_random::{Key, Stream};

pub use settings::Cycling;

use crate::{Finding, Lab, Outcome, Progress, Row, Stopped, Trial};
use world::{GradientNoise, Theta, Z_SQ};

const START: Theta = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0];
/// A coordinate beyond this has left all bounds.
const BOUND: f64 = 100.0;
/// Steps between two calls of [`Progress::advance`].
const STEPS_PER_REPORT: u64 = 10_000;

/// Moving averages of zᵢ² from those of the steps between rows.
struct Averages {
    rows: usize,
    last: VecDeque<[f64; 4]>,
}

impl Averages {
    fn push(&mut self, row: [f64; 4]) -> [f64; 4] {
        if self.last.len() == self.rows {
            self.last.pop_front();
        }
        self.last.push_back(row);
        std::array::from_fn(|i| self.last.iter().map(|row| row[i]).sum::<f64>() / self.last.len() as f64)
    }
}

impl Lab for Cycling {
    fn trials(&self) -> Vec<Trial> {
        let trials = |(label, noise): (&str, GradientNoise)| {
            let seeds = if noise == GradientNoise::Nothing { 1 } else { self.seeds };
            Trial::for_seeds(&[("noise", label.to_string())], seeds, self.steps)
        };
        GradientNoise::ALL.into_iter().flat_map(trials).collect()
    }

    fn run(&self, trial: &Trial, progress: &Progress) -> Result<Outcome, Stopped> {
        let Cycling { lr, batch_size, every, average, .. } = *self;
        let Some(noise) = GradientNoise::from_name(trial.label("noise")) else { return Ok(Outcome::default()) };
        let part = u64::from(noise != GradientNoise::Minibatch);
        let mut rng = Key::new(trial.seed, Stream::LabNoise, 0).part(part).rng();
        let (mut theta, mut turns) = (START, 0.0);
        let mut averages = Averages { rows: (average / every) as usize, last: VecDeque::new() };
        let mut rows = vec![row(0, &theta, turns, [0.0; 4])];
        for block in 1..=trial.steps / every {
            let mut squares = [0.0; 4];
            for step in 1..=every {
                let (x, y) = (theta[0], theta[1]);
                let gradient = noise.gradient(&theta, batch_size, &mut rng);
                for (value, slope) in theta.iter_mut().zip(gradient) {
                    *value -= lr * slope;
                }
                if !theta.iter().all(|value| value.abs() <= BOUND) {
                    let at = (block - 1) * every + step;
                    let diverged = Some(format!("step {at}: a coordinate of θ left [−{BOUND}, {BOUND}]"));
                    return Ok(Outcome { rows, diverged });
                }
                // Crossings of the half line x < 0, y = 0, at which atan2 jumps.
                if x + theta[0] < 0.0 && (y < 0.0) != (theta[1] < 0.0) {
                    turns += if theta[1] < 0.0 { 1.0 } else { -1.0 };
                }
                for (sum, z) in squares.iter_mut().zip(&theta[2..]) {
                    *sum += z * z / every as f64;
                }
                if step % STEPS_PER_REPORT == 0 {
                    progress.advance(STEPS_PER_REPORT)?;
                }
            }
            progress.advance(every % STEPS_PER_REPORT)?;
            rows.push(row(block * every, &theta, turns, averages.push(squares)));
        }
        Ok(Outcome { rows, diverged: None })
    }

    fn findings(&self, done: &[(Trial, Outcome)]) -> Vec<Finding> {
        findings::all(self, done)
    }
}

/// A row; `turns` counts the crossings of the half line at which atan2 jumps.
fn row(step: u64, theta: &Theta, turns: f64, z_sq: [f64; 4]) -> Row {
    let [x, y, ..] = *theta;
    // atan2(−0, x < 0) is −π; a y of −0 counts as not negative.
    let angle = turns + if y == 0.0 && x < 0.0 { PI } else { y.atan2(x) } / TAU;
    let mut row = Row::new(step, &[("x", x), ("y", y), ("angle", angle), ("radius", x.hypot(y))]);
    row.values.extend(Z_SQ.iter().map(ToString::to_string).zip(z_sq));
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Scale, read,
        testing::{assert_refused, run_all},
    };

    #[test]
    fn it_cycles_and_label_noise_does_not() {
        let lab: Cycling = read(Scale::Smoke, &[]).unwrap();
        let done = run_all(&lab);
        let findings = lab.findings(&done);
        let holds: Vec<_> = findings.iter().map(|f| f.holds == Some(true)).collect();
        // Only z₁ is said to grow at the start; z₄ does also.
        assert_eq!(holds, [true, true, true, false, true, true], "{findings:#?}");
        // Trajectories that go the other way are told from these.
        let mut mirrored = done.clone();
        for row in mirrored.iter_mut().flat_map(|(_, outcome)| &mut outcome.rows) {
            row.values.entry("angle".into()).and_modify(|angle| *angle = -*angle);
        }
        assert_eq!(lab.findings(&mirrored)[0].holds, Some(false));
        assert!(lab.findings(&[]).is_empty());
        assert_eq!(lab.run(&done[3].0, &Progress::default()).unwrap(), done[3].1, "a trial is a pure function");
        assert_ne!(done[3].1, done[4].1);
    }

    #[test]
    fn a_trajectory_that_leaves_says_when() {
        let changes =
            [("lr", "0.49"), ("steps", "100000"), ("average", "500")].map(|(k, v)| (k.to_string(), v.to_string()));
        let lab: Cycling = read(Scale::Smoke, &changes).unwrap();
        let outcome = lab.run(&lab.trials()[0], &Progress::default()).unwrap();
        assert!(outcome.diverged.is_some_and(|reason| reason.starts_with("step ")));
        assert!(outcome.rows.iter().all(|row| row.values["radius"].is_finite()));
    }

    #[test]
    fn a_stopped_progress_stops() {
        let progress = Progress::default();
        progress.stop();
        let lab: Cycling = read(Scale::Smoke, &[]).unwrap();
        assert_eq!(lab.run(&lab.trials()[0], &progress), Err(Stopped));
    }

    #[test]
    fn averages_look_back() {
        let mut averages = Averages { rows: 2, last: VecDeque::new() };
        let pushed: Vec<f64> = [1.0, 3.0, 5.0].map(|z| averages.push([z, 0.0, 0.0, 0.0])[0]).to_vec();
        assert_eq!(pushed, [1.0, 2.0, 4.0]);
    }

    #[test]
    fn wrong_settings_name_their_keys() {
        assert_refused::<Cycling>(&[
            ("lr", "0.6"),
            ("lr", "-0.1"),
            ("seeds", "0"),
            ("batch_size", "0"),
            ("every", "0"),
            ("average", "7"),
        ]);
    }
}
