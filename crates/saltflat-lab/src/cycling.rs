//! Minibatch SGD that goes round a circle of minima for ever (Damian, Ma, Lee 2021, appendix F.2).

mod findings;
mod world;

use std::{
    collections::VecDeque,
    f64::consts::{PI, TAU},
};

use saltflat_random::{Key, Stream};
use serde::{Deserialize, Serialize};
use toml::Table;

use crate::{About, Finding, Lab, Outcome, Row, Scale, Settings, Stopped, Trial, Watch};

use world::{Point, period, step};

const START: Point = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0];
/// A coordinate beyond this has left all bounds.
const BOUND: f64 = 100.0;
/// Functions a step; a step is not interrupted.
const MOST_DRAWN: u64 = 1000;
/// Steps between two looks at the watch.
const LOOK: u64 = 10_000;
const Z_SQ: [&str; 4] = ["z1_sq", "z2_sq", "z3_sq", "z4_sq"];

const MINIBATCH: &str = "minibatch";
const LABELS: &str = "label noise";
const NOTHING: &str = "no noise";

/// Lab `cycling`: (x, y) goes round the unit circle under minibatch SGD, and under no noise that is coupled to a potential.
/// The paper gives none of the settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cycling {
    /// Learning rate η.
    pub lr: f64,
    /// Functions a step, drawn with replacement.
    pub batch_size: u64,
    /// Steps of a trajectory.
    pub steps: u64,
    /// Trajectories of each noise.
    pub seeds: u64,
    /// Steps over which the moving averages of zᵢ² run, a multiple of `every`.
    pub average: u64,
    /// Steps from row to row.
    pub every: u64,
}

impl Settings for Cycling {
    const LAB: &'static str = "cycling";

    fn at(scale: Scale) -> Self {
        let (lr, steps, every) = match scale {
            Scale::Smoke => (0.05, 160_000, 500),
            Scale::Small => (0.02, 1_000_000, 2_500),
            Scale::Paper => (0.005, 16_000_000, 20_000),
        };
        Self { lr, batch_size: 1, steps, seeds: 5, average: 10 * every, every }
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        // The largest ‖∇fᵢ‖² on the circle is 4.
        if !(self.lr > 0.0 && self.lr < 0.5) {
            let expected = "a number above 0 and below 0.5, where the step of one function is stable";
            problems.push(format!("lr: expected {expected}, found {}", self.lr));
        }
        if !(1..=MOST_DRAWN).contains(&self.batch_size) {
            problems.push(format!("batch_size: expected a number from 1 to {MOST_DRAWN}, found {}", self.batch_size));
        }
        for (key, value) in [("steps", self.steps), ("seeds", self.seeds)] {
            if value == 0 {
                problems.push(format!("{key}: expected a number from 1 on, found 0"));
            }
        }
        if self.every == 0 || self.every > self.steps {
            problems.push(format!("every: expected a number from 1 to steps = {}, found {}", self.steps, self.every));
        } else if self.average == 0 || !self.average.is_multiple_of(self.every) {
            problems.push(format!("average: expected a multiple of every = {}, found {}", self.every, self.average));
        }
        problems
    }
}

impl Cycling {
    /// Steps of a turn for small η.
    fn predicted_period(&self) -> f64 {
        period() * self.batch_size as f64 / self.lr.powi(2)
    }
}

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
    fn about(&self) -> About {
        ABOUT
    }

    fn settings(&self) -> Table {
        Table::try_from(self).unwrap_or_default()
    }

    fn trials(&self) -> Vec<Trial> {
        let Cycling { seeds, steps, .. } = *self;
        let trial = |noise: &str, seed| Trial::new(&[("noise", noise.to_string())], seed, steps);
        let noisy = [MINIBATCH, LABELS].into_iter().flat_map(|noise| (0..seeds).map(move |seed| trial(noise, seed)));
        noisy.chain([trial(NOTHING, 0)]).collect()
    }

    fn run(&self, trial: &Trial, watch: &Watch) -> Result<Outcome, Stopped> {
        let Cycling { lr, batch_size, every, average, .. } = *self;
        let noise = trial.label("noise");
        let mut rng = Key::new(trial.seed, Stream::SmallWorldNoise, 0).part(u64::from(noise != MINIBATCH)).rng();
        let (mut theta, mut turns) = (START, 0.0);
        let mut averages = Averages { rows: (average / every) as usize, last: VecDeque::new() };
        let mut rows = vec![row(0, &theta, turns, [0.0; 4])];
        for block in 1..=trial.steps / every {
            let mut squares = [0.0; 4];
            for made in 1..=every {
                let (x, y) = (theta[0], theta[1]);
                let gradient = step(noise, &theta, batch_size, &mut rng);
                for (value, slope) in theta.iter_mut().zip(gradient) {
                    *value -= lr * slope;
                }
                if !theta.iter().all(|value| value.abs() <= BOUND) {
                    let at = (block - 1) * every + made;
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
                if made % LOOK == 0 {
                    watch.made(LOOK)?;
                }
            }
            watch.made(every % LOOK)?;
            rows.push(row(block * every, &theta, turns, averages.push(squares)));
        }
        Ok(Outcome { rows, diverged: None })
    }

    fn findings(&self, done: &[(Trial, Outcome)]) -> Vec<Finding> {
        findings::all(self, done)
    }
}

/// A row; `turns` counts the crossings of the half line at which atan2 jumps.
fn row(step: u64, theta: &Point, turns: f64, z_sq: [f64; 4]) -> Row {
    let [x, y, ..] = *theta;
    // atan2(−0, x < 0) is −π; a y of −0 counts as not negative.
    let angle = turns + if y == 0.0 && x < 0.0 { PI } else { y.atan2(x) } / TAU;
    let mut row = Row::new(step, &[("x", x), ("y", y), ("angle", angle), ("radius", x.hypot(y))]);
    row.values.extend(Z_SQ.iter().map(ToString::to_string).zip(z_sq));
    row
}

const ABOUT: About = About {
    name: "cycling",
    title: "Minibatch SGD can cycle",
    text: "Thirteen functions of θ = (x, y, z₁, …, z₄) with labels 0 and the loss ½fᵢ². The minima are the unit circle at z = 0, where \
        L = 4/13: two functions of each pair ask for z = ±1. Drawing one of them makes zᵢ oscillate, and that pushes (x, y) towards \
        smaller curvature along zᵢ. The zᵢ that oscillates most changes along the circle, so that the push never ends: there is \
        no fixed potential.\n\n\
        The paper gives no learning rate, batch size or length. Ours: one function a step and a small learning rate η. With zᵢ² at \
        its stationary mean the angle turns by 2π in 79.5 B/η² steps, and wanders by less the smaller η is.\n\n\
        For comparison: label noise on the full gradient, one label a step disturbed by ±σ, with σ² = 6/11 so that the covariances \
        of both noises have one trace on the circle; and no noise.",
    source: "Damian, Ma, Lee 2021, appendix F.2, figure 5",
    figures: r#"
[[figure]]
kind = "curves"
y = "angle"
x = "step"
title = "Angle of (x, y), in turns"

[[figure]]
kind = "curves"
y = "x"
x = "step"
groups = ["minibatch"]
title = "x over time"

[[figure]]
kind = "curves"
y = "y"
x = "step"
groups = ["minibatch"]
title = "y over time"

[[figure]]
kind = "curves"
y = "z1_sq"
x = "step"
groups = ["minibatch"]
title = "Moving average of z₁²"

[[figure]]
kind = "curves"
y = "z2_sq"
x = "step"
groups = ["minibatch"]
title = "Moving average of z₂²"

[[figure]]
kind = "curves"
y = "z3_sq"
x = "step"
groups = ["minibatch"]
title = "Moving average of z₃²"

[[figure]]
kind = "curves"
y = "z4_sq"
x = "step"
groups = ["minibatch"]
title = "Moving average of z₄²"
"#,
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read;

    fn done(lab: &Cycling) -> Vec<(Trial, Outcome)> {
        let watch = Watch::default();
        lab.trials().into_iter().map(|trial| (trial.clone(), lab.run(&trial, &watch).unwrap())).collect()
    }

    #[test]
    fn it_cycles_and_label_noise_does_not() {
        let lab: Cycling = read(Scale::Smoke, &[]).unwrap();
        let done = done(&lab);
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
        assert_eq!(lab.run(&done[3].0, &Watch::default()).unwrap(), done[3].1, "a trial is a pure function");
        assert_ne!(done[3].1, done[4].1);
    }

    #[test]
    fn a_trajectory_that_leaves_says_when() {
        let changes =
            [("lr", "0.49"), ("steps", "100000"), ("average", "500")].map(|(k, v)| (k.to_string(), v.to_string()));
        let lab: Cycling = read(Scale::Smoke, &changes).unwrap();
        let outcome = lab.run(&lab.trials()[0], &Watch::default()).unwrap();
        assert!(outcome.diverged.is_some_and(|reason| reason.starts_with("step ")));
        assert!(outcome.rows.iter().all(|row| row.values["radius"].is_finite()));
    }

    #[test]
    fn a_stopped_watch_stops() {
        let watch = Watch::default();
        watch.stop();
        let lab: Cycling = read(Scale::Smoke, &[]).unwrap();
        assert_eq!(lab.run(&lab.trials()[0], &watch), Err(Stopped));
    }

    #[test]
    fn averages_look_back() {
        let mut averages = Averages { rows: 2, last: VecDeque::new() };
        let pushed: Vec<f64> = [1.0, 3.0, 5.0].map(|z| averages.push([z, 0.0, 0.0, 0.0])[0]).to_vec();
        assert_eq!(pushed, [1.0, 2.0, 4.0]);
    }

    #[test]
    fn wrong_settings_name_their_keys() {
        let wrong =
            [("lr", "0.6"), ("lr", "-0.1"), ("seeds", "0"), ("batch_size", "0"), ("every", "0"), ("average", "7")];
        for (key, value) in wrong {
            let error = read::<Cycling>(Scale::Smoke, &[(key.into(), value.into())]).unwrap_err().to_string();
            assert!(error.starts_with(&format!("cycling: {key}: expected")), "{error}");
        }
    }
}
