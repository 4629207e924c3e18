//! The quadratically parametrised model: gradient descent overfits, label noise finds the sparse truth. HaoChen, Wei, Lee, Ma
//! 2021, figure 1 (right), appendix A.1.

mod findings;
mod model;
mod noise;

pub use model::{Data, Point};
pub use noise::{Draws, LabelNoise, Noise, Shape};

use saltflat_random::{Key, Stream};
use serde::{Deserialize, Serialize};

use crate::{About, Finding, Lab, Outcome, Row, Scale, Settings, Stopped, Trial, Watch};

/// Beyond this ‖v‖² a trajectory has diverged.
const TOO_FAR: f64 = 1e12;

/// The data of a trial, samples × dimension, are held in memory, for each thread.
const MOST_DIMENSION: usize = 5000;
/// Multiplications between two looks at the watch, about.
const LOOK: usize = 1 << 22;

/// Settings of the lab. v starts at `start` · (1, …, 1); every trial has the data of its seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quadratic {
    /// d.
    pub dimension: usize,
    /// n < d.
    pub samples: usize,
    /// Ones in v⋆; its other entries are 0.
    pub ones: usize,
    /// α, the size of every entry of v at the start.
    pub start: f64,
    /// η.
    pub lr: f64,
    /// Steps after which the learning rate of label noise is multiplied with `decay_factor`.
    pub decay_at: Vec<u64>,
    /// Of the learning rate.
    pub decay_factor: f64,
    /// δ, the strength of minibatch and label noise.
    pub delta: f64,
    /// `full-batch`, `minibatch`, `label-noise`, and the variants `sgd` (the gradient of one sample alone) and `label-noise-sgd`
    /// (algorithm 1: one sample alone, with noise on its label).
    pub noises: Vec<String>,
    /// Noise on a label: `sign` (±δ, the paper's text) or `gaussian` (N(0, δ²), the published code).
    pub label_noise: String,
    /// Shapes of `minibatch` and `label-noise`: `own`, `gaussian`, `diagonal`, `isotropic`.
    pub shapes: Vec<String>,
    /// σ of Gaussian noise on the gradient, a series each.
    pub gaussian_sigmas: Vec<f64>,
    /// λ of Langevin dynamics, a series each.
    pub langevin_inverse_temperatures: Vec<f64>,
    /// Steps of a trajectory.
    pub steps: u64,
    /// Steps of a trajectory with Gaussian noise or of Langevin dynamics.
    pub gaussian_steps: u64,
    /// Rows of a trajectory beside its start.
    pub rows: u64,
    /// Trajectories of each series, each with data of its own.
    pub seeds: u64,
}

impl Settings for Quadratic {
    const LAB: &'static str = "quadratic";

    fn at(scale: Scale) -> Self {
        let paper = Self {
            dimension: 100,
            samples: 40,
            ones: 5,
            start: 1.0,
            lr: 0.01,
            decay_at: vec![100_000, 200_000],
            decay_factor: 0.1,
            delta: 1.0,
            noises: ["full-batch", "minibatch", "label-noise"].map(String::from).to_vec(),
            label_noise: "sign".into(),
            shapes: vec!["own".into()],
            gaussian_sigmas: vec![0.01, 0.1, 1.0],
            langevin_inverse_temperatures: Vec::new(),
            steps: 300_000,
            gaussian_steps: 1_200_000,
            rows: 150,
            seeds: 5,
        };
        match scale {
            Scale::Paper => paper,
            // As in the paper, with one strength of Gaussian noise.
            Scale::Small => Self { gaussian_sigmas: vec![0.01], seeds: 2, ..paper },
            Scale::Smoke => Self {
                decay_at: vec![1000, 2000],
                gaussian_sigmas: vec![0.01],
                langevin_inverse_temperatures: vec![1e4],
                steps: 3000,
                gaussian_steps: 6000,
                rows: 10,
                seeds: 2,
                ..paper
            },
        }
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut expect = |holds: bool, key: &str, expected: &str, found: String| {
            if !holds {
                problems.push(format!("{key}: expected {expected}, found {found}"));
            }
        };
        let above = |x: f64| x > 0.0 && x.is_finite();
        let dimension = (1..=MOST_DIMENSION).contains(&self.dimension);
        let expected = format!("a whole number from 1 to {MOST_DIMENSION}");
        expect(dimension, "dimension", &expected, self.dimension.to_string());
        let few = (1..self.dimension.max(1)).contains(&self.samples);
        let over = "at least 1 and less than the dimension (the model has to be overparametrised)";
        expect(few, "samples", over, self.samples.to_string());
        expect(self.ones <= self.dimension, "ones", "at most the dimension", self.ones.to_string());
        expect(above(self.start), "start", "a number above 0", self.start.to_string());
        expect(above(self.lr), "lr", "a number above 0", self.lr.to_string());
        expect(above(self.decay_factor), "decay_factor", "a number above 0", self.decay_factor.to_string());
        let at_least_0 = "a number of at least 0";
        expect(self.delta >= 0.0 && self.delta.is_finite(), "delta", at_least_0, self.delta.to_string());
        for (key, values, zero) in [
            ("gaussian_sigmas", &self.gaussian_sigmas, true),
            ("langevin_inverse_temperatures", &self.langevin_inverse_temperatures, false),
        ] {
            let holds = |x: &&f64| above(**x) || zero && **x == 0.0;
            let wrong = values.iter().find(|x| !holds(x));
            let expected = if zero { "numbers of at least 0" } else { "numbers above 0" };
            expect(wrong.is_none(), key, expected, wrong.map_or(String::new(), f64::to_string));
        }
        let label_noise = std::slice::from_ref(&self.label_noise);
        for (key, values, known) in [
            ("label_noise", label_noise, &LabelNoise::ALL.map(|(name, _)| name)[..]),
            ("noises", &self.noises, &["full-batch", "minibatch", "label-noise", "sgd", "label-noise-sgd"][..]),
            ("shapes", &self.shapes, &Shape::ALL.map(|(name, _)| name)[..]),
        ] {
            let wrong = values.iter().find(|name| !known.contains(&name.as_str()));
            expect(wrong.is_none(), key, &format!("of {}", known.join(", ")), wrong.cloned().unwrap_or_default());
        }
        for (key, value) in
            [("steps", self.steps), ("gaussian_steps", self.gaussian_steps), ("rows", self.rows), ("seeds", self.seeds)]
        {
            expect(value > 0, key, "a whole number above 0", value.to_string());
        }
        let some = !self.series().is_empty();
        expect(some, "noises", "at least one noise, or a value of gaussian_sigmas", "none".into());
        problems
    }
}

impl Quadratic {
    /// The series with their labels.
    pub fn series(&self) -> Vec<(String, Noise)> {
        let mut series = Vec::new();
        for name in &self.noises {
            let shapes = Shape::ALL.into_iter().filter(|(shape, _)| self.shapes.iter().any(|s| s == shape));
            let shaped = |of: fn(Shape) -> Noise| {
                shapes.map(move |(shape, value)| {
                    let label = name.replace('-', " ");
                    (if value == Shape::Own { label } else { format!("{label}, {shape}") }, of(value))
                })
            };
            match name.as_str() {
                "full-batch" => series.push(("full batch".into(), Noise::FullBatch)),
                "minibatch" => series.extend(shaped(Noise::Minibatch)),
                "label-noise" => series.extend(shaped(Noise::LabelNoise)),
                "sgd" => series.push(("SGD, batch 1".into(), Noise::Sgd)),
                _ => series.push(("label-noise SGD, batch 1".into(), Noise::LabelNoiseSgd)),
            }
        }
        let sigmas = self.gaussian_sigmas.iter();
        series.extend(sigmas.map(|&sigma| (format!("Gaussian, sigma {sigma}"), Noise::Gaussian(sigma))));
        let lambdas = self.langevin_inverse_temperatures.iter();
        series.extend(lambdas.map(|&lambda| (format!("Langevin, lambda {lambda}"), Noise::Langevin(lambda))));
        series
    }

    fn label_noise(&self) -> LabelNoise {
        let found = LabelNoise::ALL.into_iter().find(|(name, _)| *name == self.label_noise);
        found.map_or(LabelNoise::Sign, |(_, distribution)| distribution)
    }

    fn steps_of(&self, noise: Noise) -> u64 {
        if matches!(noise, Noise::Gaussian(_) | Noise::Langevin(_)) { self.gaussian_steps } else { self.steps }
    }

    /// η at a step: only label noise has a schedule, as in the paper.
    fn lr(&self, noise: Noise, step: u64) -> f64 {
        let decays = matches!(noise, Noise::LabelNoise(_) | Noise::LabelNoiseSgd);
        let passed = self.decay_at.iter().filter(|at| decays && **at <= step).count();
        self.lr * self.decay_factor.powi(passed as i32)
    }
}

impl Lab for Quadratic {
    fn about(&self) -> About {
        About {
            name: Self::LAB,
            title: "Label noise finds the sparse truth, Gaussian noise does not",
            text: TEXT,
            source: "HaoChen, Wei, Lee, Ma 2021, figure 1 (right)",
            figures: FIGURES,
        }
    }

    fn settings(&self) -> toml::Table {
        toml::Table::try_from(self).unwrap_or_default()
    }

    fn trials(&self) -> Vec<Trial> {
        let of_series = |(label, noise): (String, Noise)| {
            (0..self.seeds).map(move |seed| Trial::new(&[("noise", label.clone())], seed, self.steps_of(noise)))
        };
        self.series().into_iter().flat_map(of_series).collect()
    }

    fn run(&self, trial: &Trial, watch: &Watch) -> Result<Outcome, Stopped> {
        let series = self.series();
        let Some(index) = series.iter().position(|(label, _)| label == trial.label("noise")) else {
            return Ok(Outcome::default());
        };
        let noise = series[index].1;
        let data = Data::new(self.dimension, self.samples, self.ones, trial.seed);
        let rng = Key::new(trial.seed, Stream::SmallWorldNoise, 0).part(index as u64).rng();
        let mut draws = Draws::new(noise, self.delta, self.label_noise(), &data, rng);
        let mut point = Point::new(&data, self.start);
        let steps = self.steps_of(noise);
        let mut outcome = Outcome { rows: vec![row(&point, 0, self.lr(noise, 0), 0.0)], diverged: None };
        let share = |step: u64| step as f64 / steps as f64;
        let look = (LOOK / (self.samples * self.dimension).max(1)).clamp(1, 1024) as u64;
        let (mut step, mut told) = (0, 0);
        for end in 1..=self.rows.min(steps) {
            let next = (u128::from(end) * u128::from(steps) / u128::from(self.rows.min(steps))) as u64;
            while step < next {
                draws.step(&mut point, &data, self.lr(noise, step));
                step += 1;
                if step - told == look || step == next {
                    watch.made(step - told)?;
                    told = step;
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
        findings::of(self, done)
    }
}

/// `share`: of the trajectory's steps, by which series of different lengths stand in one figure.
fn row(point: &Point<'_>, step: u64, lr: f64, share: f64) -> Row {
    let (train, test) = point.errors();
    let norm = point.v().iter().map(|v| v * v).sum::<f64>().sqrt();
    let values = [("train_error", train), ("test_error", test), ("norm", norm), ("lr", lr), ("share", share)];
    Row::new(step, &values)
}

const TEXT: &str = "\
The model is f(x; v) = ⟨v∘v, x⟩ with x ~ N(0, I), labels from a sparse v⋆ (five ones among a hundred entries), fewer samples than \
dimensions, and the start v = (1, …, 1). The loss of a sample is ¼ (f − y)², so that a step is that of equation 1.

HaoChen, Wei, Lee and Ma (2021) report that gradient descent fits the data and is far from v⋆; that noise of minibatches or on \
labels, added to the full gradient, leads to v⋆; and that Gaussian noise does not, however strong. Gaussian noise runs four \
times as long, drawn on the same axis. Of its strengths 0.01 is that of the published code; the text of the paper names none.

Training error: mean of (f(xᵢ) − yᵢ)². Test error: ‖v∘v − v⋆∘v⋆‖², the mean of (f(x) − y)² over fresh samples.";

const FIGURES: &str = r#"
[[figure]]
kind = "curves"
y = "test_error"
x = "share"
log = true
title = "Test error (HaoChen et al. 2021, figure 1, right)"

[[figure]]
kind = "curves"
y = "train_error"
x = "share"
log = true

[[figure]]
kind = "final"
y = "test_error"
log = true
"#;
