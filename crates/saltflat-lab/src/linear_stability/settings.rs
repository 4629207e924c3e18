//! Settings of the diagrams.

use saltflat_config::Section;
use serde::Serialize;

use super::{construction::SampleLoss, sampling::Sampling};
use crate::{
    About, Scale, Settings,
    settings::{are_distinct, is_positive, read_seeds},
};

/// Settings of the lab `linear-stability`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LinearStability {
    /// Samples n.
    pub n: usize,
    /// Learning rates of the diagrams over coherence and batch size, one diagram each.
    pub etas: Vec<f64>,
    /// Their coherences are 1, 1 + this, …, up to n.
    pub sigma_step: usize,
    /// Coherence of the diagram over learning rate and batch size.
    pub sigma: usize,
    /// Its smallest learning rate. The paper gives no range: ours is where theorem 2's line begins at a batch size of 1.
    pub eta_min: f64,
    /// Its largest learning rate.
    pub eta_max: f64,
    /// How many learning rates it has, at equal ratios; 0 leaves the diagram out.
    pub eta_count: usize,
    /// The batch sizes are 1, 1 + this, …, up to n, in every diagram.
    pub batch_size_step: usize,
    /// Steps of a repetition, at most.
    pub steps: u64,
    /// Repetitions of a cell, each from a start of its own.
    pub repetitions: u32,
    /// A repetition ends when the norm has grown or fallen by this factor.
    pub factor: f64,
    /// How batches are drawn; there is a diagram for each.
    pub samplings: Vec<Sampling>,
    /// The samples' losses.
    pub loss: SampleLoss,
    /// Number of repetitions of everything with other draws.
    pub seeds: u64,
}

impl LinearStability {
    /// The coherences of a diagram.
    pub(super) fn sigmas(&self) -> Vec<usize> {
        (1..=self.n).step_by(self.sigma_step).collect()
    }

    /// The batch sizes of a diagram.
    pub(super) fn batch_sizes(&self) -> Vec<usize> {
        (1..=self.n).step_by(self.batch_size_step).collect()
    }

    /// The learning rates of a diagram, at equal ratios.
    pub(super) fn eta_grid(&self) -> Vec<f64> {
        let last = self.eta_count.saturating_sub(1).max(1) as f64;
        let at = |i: usize| self.eta_min * (self.eta_max / self.eta_min).powf(i as f64 / last);
        // The last one as it was given, not as rounding leaves it.
        (0..self.eta_count).map(|i| if i > 0 && i + 1 == self.eta_count { self.eta_max } else { at(i) }).collect()
    }
}

/// A repetition is not interrupted.
const MOST_STEPS: u64 = 100_000;

/// The Lyapunov exponents are sums over all batch sizes and counts.
const MOST_SAMPLES: usize = 1000;

impl Settings for LinearStability {
    const ABOUT: About = About {
        name: "linear-stability",
        title: "Linear stability of SGD and the coherence of Hessians",
        text: TEXT,
        source: "Dexter et al. 2024, figures 1 and 2",
        figures: FIGURES,
    };

    fn at(scale: Scale) -> Self {
        let (step, eta_count, steps) = match scale {
            Scale::Smoke => (11, 10, 1000),
            Scale::Small => (4, 25, 1000),
            Scale::Paper => (1, 100, 1000),
        };
        Self {
            n: 100,
            etas: vec![0.8, 0.5],
            sigma_step: step,
            sigma: 5,
            eta_min: 0.05,
            eta_max: 1.0,
            eta_count,
            batch_size_step: step,
            steps,
            repetitions: 5,
            factor: 1000.0,
            samplings: vec![Sampling::Bernoulli, Sampling::WithoutReplacement],
            loss: SampleLoss::HalfQuadratic,
            seeds: 1,
        }
    }

    fn read(&mut self, section: &mut Section) {
        let expected = format!("a whole number from 2 to {MOST_SAMPLES}");
        section.update("n", &mut self.n, &expected, |n| (2..=MOST_SAMPLES).contains(n));
        let are_possible = |etas: &Vec<f64>| etas.iter().all(is_positive) && are_distinct(etas);
        section.update("etas", &mut self.etas, "numbers above 0, each once", are_possible);
        let n = self.n;
        let steps = [&mut self.sigma_step, &mut self.sigma, &mut self.batch_size_step];
        for (key, value) in ["sigma_step", "sigma", "batch_size_step"].into_iter().zip(steps) {
            section.update(key, value, &format!("a whole number from 1 to n = {n}"), |value| (1..=n).contains(value));
        }
        section.update("eta_min", &mut self.eta_min, "a number above 0", is_positive);
        let eta_min = self.eta_min;
        let is_above = |eta: &f64| eta.is_finite() && *eta > eta_min;
        section.update("eta_max", &mut self.eta_max, &format!("a number above eta_min = {eta_min}"), is_above);
        section.update("eta_count", &mut self.eta_count, "a whole number up to 1000", |count| *count <= 1000);
        if self.etas.is_empty() && self.eta_count == 0 {
            section.problem("etas", "expected at least one learning rate if eta_count is 0, got []");
        }
        let expected = format!("a whole number from 1 to {MOST_STEPS}");
        section.update("steps", &mut self.steps, &expected, |steps| (1..=MOST_STEPS).contains(steps));
        section.update("repetitions", &mut self.repetitions, "a whole number above 0", |n| *n > 0);
        let is_possible = |factor: &f64| *factor > 1.0 && *factor < 1e100;
        section.update("factor", &mut self.factor, "a number from 1 to 1e100", is_possible);
        match section.choices("samplings", &Sampling::ALL) {
            Some(all) if all.is_empty() || !are_distinct(&all) => {
                section.problem("samplings", "expected at least one sampling, each once");
            }
            Some(all) => self.samplings = all,
            None => {}
        }
        self.loss = section.choice("loss", &SampleLoss::ALL).unwrap_or(self.loss);
        read_seeds(section, &mut self.seeds);
    }
}

const TEXT: &str = "\
A minimum at 0 of n quadratic losses is stable for SGD or not: w ← (I − (η/B) Σ Hᵢ) w over the batch either falls or grows. \
The coherence σ of the Hessians Hᵢ says how alike they are. Theorem 1: E‖w‖ grows without bound if \
λ₁(H) > (σ/η)(n/B − 1)^(−1/2) or λ₁(H) > 2/η. Theorem 2: there are Hessians with λ₁(H) < (2σ/η)(σ + n/B − 1)⁻¹ for which \
E‖w‖² stays bounded. Between the two lines the theorems say nothing.

The Hessians here are Hᵢ = m e₁e₁ᵀ for the first σ samples and m times a coordinate of its own for each other, m = 2n/σ, so that \
λ₁(H) = 2 and the coherence is σ exactly. A cell is a batch size and a coherence or a learning rate. It diverges if the norm grows \
by 1000 in the majority of five repetitions; a repetition ends early where the norm has fallen or grown by 1000. \
Open in the paper, and our choice: the start (standard normal), the range of learning rates of figure 2, and the factor ½ in the \
loss. The paper writes the losses as wᵀHᵢw, whose gradient is 2Hᵢw; then gradient descent itself would diverge at η = 0.8. With \
½wᵀHᵢw the Hessians are Hᵢ, as the theorems need (`loss` chooses).

Theorem 1 is about the mean of the norm, theorem 2 about its mean square, a majority of repetitions about what is typical. We add \
the line that belongs to the latter: a coordinate shared by s samples is multiplied by 1 − (ηm/B) K at each step, K the number of \
its samples in the batch, so that almost every trajectory grows if E ln|1 − (ηm/B) K| > 0 for s = σ or s = 1 (the largest Lyapunov \
exponent). Its line is the largest batch size for which that is so.";

const FIGURES: &str = r#"
figure = [
    { kind = "phase", rows = true, x = "sigma", y = "batch_size", value = "diverged",
      lines = ["theorem_1_batch_size", "theorem_2_batch_size", "almost_sure_batch_size"],
      title = "Share of repetitions that diverged", caption = "As figure 1 of Dexter et al. 2024." },
    { kind = "phase", rows = true, x = "eta", y = "batch_size", value = "diverged",
      lines = ["theorem_1_batch_size", "theorem_2_batch_size", "almost_sure_batch_size"],
      title = "Share of repetitions that diverged",
      caption = "As figure 2 of Dexter et al. 2024, with equal ratios of the learning rate." },
]
"#;
