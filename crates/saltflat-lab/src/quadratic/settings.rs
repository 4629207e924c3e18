//! Settings of the trajectories, and the series that follow from them.

use saltflat_config::{Section, named_enum};
use serde::Serialize;

use super::noise::{LabelNoise, Noise, Shape};
use crate::{
    About, Scale, Settings,
    settings::{is_positive, read_seeds},
};

/// The data of a trial, samples × dimension, are held in memory, for each thread.
const MOST_DIMENSION: usize = 5000;

named_enum! {
    /// A noise as the key `noises` names it.
    pub enum NoiseName {
        /// None: gradient descent.
        FullBatch = "full-batch",
        /// Of minibatches, added to the full gradient, in each of the shapes.
        Minibatch = "minibatch",
        /// Of labels, added to the full gradient, in each of the shapes.
        LabelNoise = "label-noise",
        /// The gradient of one sample alone.
        Sgd = "sgd",
        /// Algorithm 1: one sample alone, with noise on its label.
        LabelNoiseSgd = "label-noise-sgd",
    }
}

/// Settings of the lab. v starts at `start` · (1, …, 1); every trial has the data of its seed.
#[derive(Clone, Debug, PartialEq, Serialize)]
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
    /// The noises, one or several series each.
    pub noises: Vec<NoiseName>,
    /// How noise on a label is distributed.
    pub label_noise: LabelNoise,
    /// Shapes of `minibatch` and `label-noise`, a series each.
    pub shapes: Vec<Shape>,
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
    const ABOUT: About = About {
        name: "quadratic",
        title: "Label noise finds the sparse truth, Gaussian noise does not",
        text: TEXT,
        source: "HaoChen, Wei, Lee, Ma 2021, figure 1 (right)",
        figures: FIGURES,
    };

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
            noises: vec![NoiseName::FullBatch, NoiseName::Minibatch, NoiseName::LabelNoise],
            label_noise: LabelNoise::Sign,
            shapes: vec![Shape::Own],
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

    fn read(&mut self, section: &mut Section) {
        let expected = format!("a whole number from 1 to {MOST_DIMENSION}");
        section.update("dimension", &mut self.dimension, &expected, |d| (1..=MOST_DIMENSION).contains(d));
        let dimension = self.dimension;
        let expected = "at least 1 and less than the dimension (the model has to be overparametrised)";
        section.update("samples", &mut self.samples, expected, |n| (1..dimension).contains(n));
        section.update("ones", &mut self.ones, "at most the dimension", |ones| *ones <= dimension);
        let positive = [("start", &mut self.start), ("lr", &mut self.lr), ("decay_factor", &mut self.decay_factor)];
        for (key, value) in positive {
            section.update(key, value, "a number above 0", is_positive);
        }
        section.update("decay_at", &mut self.decay_at, "a list of steps", |_| true);
        let is_at_least_0 = |x: &f64| *x == 0.0 || is_positive(x);
        section.update("delta", &mut self.delta, "a number of at least 0", is_at_least_0);
        let are_at_least_0 = |all: &Vec<f64>| all.iter().all(is_at_least_0);
        section.update("gaussian_sigmas", &mut self.gaussian_sigmas, "numbers of at least 0", are_at_least_0);
        let inverses = &mut self.langevin_inverse_temperatures;
        let are_positive = |all: &Vec<f64>| all.iter().all(is_positive);
        section.update("langevin_inverse_temperatures", inverses, "numbers above 0", are_positive);
        self.noises = section.choices("noises", &NoiseName::ALL).unwrap_or_else(|| self.noises.clone());
        self.label_noise = section.choice("label_noise", &LabelNoise::ALL).unwrap_or(self.label_noise);
        self.shapes = section.choices("shapes", &Shape::ALL).unwrap_or_else(|| self.shapes.clone());
        let lengths =
            [("steps", &mut self.steps), ("gaussian_steps", &mut self.gaussian_steps), ("rows", &mut self.rows)];
        for (key, value) in lengths {
            section.update(key, value, "a whole number above 0", |n| *n > 0);
        }
        read_seeds(section, &mut self.seeds);
        if self.series().is_empty() {
            section.problem("noises", "expected at least one noise, or a value of gaussian_sigmas");
        }
    }
}

impl Quadratic {
    /// The series with their labels.
    pub fn series(&self) -> Vec<(String, Noise)> {
        let mut series = Vec::new();
        for noise in &self.noises {
            let shapes = Shape::ALL.into_iter().filter(|(_, shape)| self.shapes.contains(shape));
            let shaped = |label: &'static str, of: fn(Shape) -> Noise| {
                shapes.map(move |(name, shape)| match shape {
                    Shape::Own => (label.to_string(), of(shape)),
                    _ => (format!("{label}, {name}"), of(shape)),
                })
            };
            match noise {
                NoiseName::FullBatch => series.push(("full batch".into(), Noise::FullBatch)),
                NoiseName::Minibatch => series.extend(shaped("minibatch", Noise::Minibatch)),
                NoiseName::LabelNoise => series.extend(shaped("label noise", Noise::LabelNoise)),
                NoiseName::Sgd => series.push(("SGD, batch 1".into(), Noise::Sgd)),
                NoiseName::LabelNoiseSgd => series.push(("label-noise SGD, batch 1".into(), Noise::LabelNoiseSgd)),
            }
        }
        let sigmas = self.gaussian_sigmas.iter();
        series.extend(sigmas.map(|&sigma| (format!("Gaussian, sigma {sigma}"), Noise::Gaussian(sigma))));
        let lambdas = self.langevin_inverse_temperatures.iter();
        series.extend(lambdas.map(|&lambda| (format!("Langevin, lambda {lambda}"), Noise::Langevin(lambda))));
        series
    }

    pub(super) fn steps_of(&self, noise: Noise) -> u64 {
        if matches!(noise, Noise::Gaussian(_) | Noise::Langevin(_)) { self.gaussian_steps } else { self.steps }
    }

    /// η at a step: only label noise has a schedule, as in the paper.
    pub(super) fn lr(&self, noise: Noise, step: u64) -> f64 {
        let decays = matches!(noise, Noise::LabelNoise(_) | Noise::LabelNoiseSgd);
        let passed = self.decay_at.iter().filter(|at| decays && **at <= step).count();
        self.lr * self.decay_factor.powi(passed as i32)
    }
}

const TEXT: &str = "\
The model is f(x; v) = ⟨v∘v, x⟩ with x ~ N(0, I), labels from a sparse v⋆ (five ones among a hundred entries), fewer samples than \
dimensions, and the start v = (1, …, 1). The loss of a sample is ¼ (f − y)², so that a step is that of equation 1.

HaoChen, Wei, Lee and Ma (2021) report that gradient descent fits the data and is far from v⋆; that noise of minibatches or on \
labels, added to the full gradient, leads to v⋆; and that Gaussian noise does not, however strong. Gaussian noise runs four \
times as long, drawn on the same axis. Of its strengths 0.01 is that of the published code; the text of the paper names none.

Training error: mean of (f(xᵢ) − yᵢ)². Test error: ‖v∘v − v⋆∘v⋆‖², the mean of (f(x) − y)² over fresh samples.";

const FIGURES: &str = r#"
figure = [
    { kind = "curves", y = "test_error", x = "share", log = true,
      title = "Test error (HaoChen et al. 2021, figure 1, right)" },
    { kind = "curves", y = "train_error", x = "share", log = true },
    { kind = "final", y = "test_error", log = true },
]
"#;
