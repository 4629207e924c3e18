//! Settings of the trajectories, and the trials that follow from them. The paper gives no numbers here: all are ours.

use saltflat_config::{Section, named_enum};
use serde::Serialize;

use crate::{
    About, Scale, Settings,
    settings::{are_distinct, read_seeds},
};

/// Samples a step; a step is not interrupted.
const MOST_DRAWN: u64 = 1000;

named_enum! {
    /// What varies λ over a group of trials.
    pub(super) enum Varied {
        /// η, with sampled batches.
        LearningRate = "learning rate",
        /// σ, with every sample once a step.
        LabelNoise = "label noise",
        /// There is no label noise.
        Nothing = "no label noise",
    }
}

/// How the noise of a trajectory is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct NoiseSettings {
    /// Learning rate η.
    pub lr: f64,
    /// σ of the labels.
    pub sigma: f64,
    /// Samples a step, drawn with replacement; `None` takes each sample once.
    pub batch_size: Option<usize>,
}

impl NoiseSettings {
    /// λ = ησ²/B.
    pub fn lambda(&self, samples: usize) -> f64 {
        self.lr * self.sigma.powi(2) / self.batch_size.unwrap_or(samples) as f64
    }
}

/// The trials of one seed: labels and noise.
pub(super) type Case = (Vec<(&'static str, String)>, NoiseSettings);

/// Lab `coupling`: θ ≈ Φ(θ*) + ξ on fᵢ(θ) = ⟨θ∘θ, xᵢ⟩, over two decades of λ = ησ²/B. The model and all settings are ours.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Coupling {
    /// Parameters d.
    pub dimension: u64,
    /// Samples n, fewer than parameters.
    pub samples: u64,
    /// Learning rates of the trials in which η varies.
    pub lrs: Vec<f64>,
    /// σ of the labels in these.
    pub sigma: f64,
    /// Samples a step in these, drawn with replacement.
    pub batch_size: u64,
    /// σ of the trials in which σ varies; they take each sample once a step.
    pub sigmas: Vec<f64>,
    /// Learning rate in these. The largest eigenvalue at the start is 1.
    pub lr: f64,
    /// Steps of a coupling in units of 1/(η√λ).
    pub window: f64,
    /// Steps of a trajectory in units of 1/(ηλ).
    pub horizon: f64,
    /// Rows of a trajectory, about.
    pub rows: u64,
    /// Seeds; each has its own data, start and noise.
    pub seeds: u64,
}

impl Settings for Coupling {
    const ABOUT: About = About {
        name: "coupling",
        title: "Label noise follows gradient descent on L + λR",
        text: "Lemma 1: SGD with label noise from a minimiser θ* stays near Φ_k(θ*) + ξ_k, where Φ_k is k steps of gradient descent on L + λR \
            with R = −(1/2η) tr log(I − (η/2)∇²L) and λ = ησ²/B, and ξ is the Ornstein–Uhlenbeck process ξ ← (I − ηG(θ*))ξ + ε* of the \
            same draws. Here all three are run side by side, with exact derivatives, on fᵢ(θ) = ⟨θ∘θ, xᵢ⟩ with fewer samples than \
            parameters. What is left, r = θ − ξ − Φ, should be of the order λ^¾ (δ = ½) while ‖ξ‖ is of the order λ^½.\n\n\
            A coupling lasts window/(η√λ) steps, which is the lemma's longest up to constants and logarithms. Then the next begins as in Lemma 2: θ* \
            becomes Φ, and Φ starts anew at θ − ξ. A trajectory lasts horizon/(ηλ) steps, in which R can fall by an amount that does not \
            shrink with λ. λ varies through η, with sampled batches as in Algorithm 1, and through σ at one large η, with every \
            sample once a step: there minibatch noise would not become small beside the label noise, as η does not.\n\n\
            The model, its size and every setting are ours. Inputs are normal, scaled so that the largest eigenvalue at the start is 1; \
            the start has entries uniform in (½, 1½) and labels that it fits exactly. Each seed has its own data.",
        source: "Damian, Ma, Lee 2021, Lemma 1, Lemma 2 and Propositions 2 and 4",
        figures: r#"
figure = [
    { kind = "final", y = "first_r_max", x = "lambda", log = true, log_x = true,
      title = "Largest error ‖θ − ξ − Φ‖ in the first coupling" },
    { kind = "final", y = "first_xi_max", x = "lambda", log = true, log_x = true,
      title = "Largest ‖ξ‖ in the first coupling" },
    { kind = "curves", y = "regularizer_ratio", x = "time", title = "R at θ − ξ over R at the start",
      caption = "Time is ηλ times the step." },
    { kind = "curves", y = "descent_ratio", x = "time",
      title = "R along gradient descent on L + λR over R at the start", caption = "Time is ηλ times the step." },
]
"#,
    };

    fn at(scale: Scale) -> Self {
        let paper = Self {
            dimension: 6,
            samples: 3,
            lrs: vec![0.3, 0.1, 0.03, 0.01, 0.003],
            sigma: 0.3,
            batch_size: 1,
            sigmas: vec![0.3, 0.17, 0.1, 0.054, 0.03],
            lr: 1.0,
            window: 10.0,
            horizon: 2.0,
            rows: 200,
            seeds: 5,
        };
        match scale {
            Scale::Paper => paper,
            Scale::Small => Self { lrs: vec![0.3, 0.1, 0.03, 0.01], ..paper },
            Scale::Smoke => {
                Self { lrs: vec![0.3, 0.1, 0.03], sigmas: vec![0.3, 0.1, 0.03], horizon: 0.5, seeds: 3, ..paper }
            }
        }
    }

    fn read(&mut self, section: &mut Section) {
        let is_possible = |d: &u64| (2..=50).contains(d);
        section.update("dimension", &mut self.dimension, "a whole number from 2 to 50", is_possible);
        let dimension = self.dimension;
        let is_possible = |n: &u64| (1..dimension).contains(n);
        section.update("samples", &mut self.samples, "at least 1 and fewer than dimension", is_possible);
        let below_edge = |lr: &f64| *lr > 0.0 && *lr < 2.0;
        let edge =
            "above 0 and below 2: the largest eigenvalue at the start is 1, and R has no value from lr · λ₁ = 2 on";
        let are_possible = |lrs: &Vec<f64>| lrs.iter().all(below_edge) && are_distinct(lrs);
        section.update("lrs", &mut self.lrs, &format!("numbers, each once, {edge}"), are_possible);
        let is_strength = |sigma: &f64| (1e-4..=10.0).contains(sigma);
        section.update("sigma", &mut self.sigma, "a number from 1e-4 to 10", is_strength);
        let expected = format!("a whole number from 1 to {MOST_DRAWN}");
        section.update("batch_size", &mut self.batch_size, &expected, |size| (1..=MOST_DRAWN).contains(size));
        let are_possible = |sigmas: &Vec<f64>| sigmas.iter().all(is_strength) && are_distinct(sigmas);
        section.update("sigmas", &mut self.sigmas, "numbers from 1e-4 to 10, each once", are_possible);
        section.update("lr", &mut self.lr, &format!("a number {edge}"), below_edge);
        for (key, value) in [("window", &mut self.window), ("horizon", &mut self.horizon)] {
            section.update(key, value, "a number above 0, at most 10000", |units| *units > 0.0 && *units <= 1e4);
        }
        section.update("rows", &mut self.rows, "a whole number above 0", |rows| *rows > 0);
        read_seeds(section, &mut self.seeds);
    }
}

impl Coupling {
    /// The trials of each seed.
    pub(super) fn cases(&self) -> Vec<Case> {
        let batch_size = Some(self.batch_size as usize);
        let noise = |lr, sigma, batch_size| NoiseSettings { lr, sigma, batch_size };
        let rates = self.lrs.iter().map(|&lr| (Varied::LearningRate, noise(lr, self.sigma, batch_size)));
        let labels = self.sigmas.iter().map(|&sigma| (Varied::LabelNoise, noise(self.lr, sigma, None)));
        let labelled = |(varied, noise): (Varied, NoiseSettings)| {
            let lambda = format!("{:.3e}", noise.lambda(self.samples as usize));
            (vec![("varied", varied.name().to_string()), ("lambda", lambda)], noise)
        };
        let mut cases: Vec<Case> = rates.chain(labels).map(labelled).collect();
        if let Some(&lr) = self.lrs.first() {
            cases.push((vec![("varied", Varied::Nothing.name().to_string())], noise(lr, 0.0, batch_size)));
        }
        cases
    }

    /// Steps of a coupling and of all.
    pub(super) fn lengths(&self, noise: &NoiseSettings) -> (u64, u64) {
        let lambda = match noise.lambda(self.samples as usize) {
            // Without label noise: as long as with it.
            0.0 => NoiseSettings { sigma: self.sigma, ..*noise }.lambda(self.samples as usize),
            lambda => lambda,
        };
        let window = (self.window / (noise.lr * lambda.sqrt())).ceil().max(1.0) as u64;
        (window, ((self.horizon / (noise.lr * lambda)).ceil() as u64).max(window))
    }
}
