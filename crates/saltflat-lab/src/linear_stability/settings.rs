//! What the diagrams are made of.

use serde::{Deserialize, Serialize};

use super::{construction::Construction, sampling::Sampling};
use crate::{Scale, Settings};

/// Settings of the lab `linear-stability`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
    /// A repetition ends where the norm has grown or fallen by this factor.
    pub factor: f64,
    /// How batches are drawn; every diagram is made with each.
    pub samplings: Vec<Sampling>,
    /// The samples' losses.
    pub loss: Loss,
    /// How often all is made again with other draws.
    pub seeds: u64,
}

/// The loss of a sample, which says how its Hessian is made of m and a coordinate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// ½ wᵀHᵢw: its Hessian is Hᵢ, as in definition 1 and the theorems.
    #[default]
    HalfQuadratic,
    /// wᵀHᵢw, as section 5.1 writes it: its Hessian is 2Hᵢ, so that λ₁ is 4 and gradient descent itself diverges at
    /// every rate above ½. The lines are those of 2Hᵢ.
    Quadratic,
}

impl Loss {
    /// The Hessian of the loss over Hᵢ.
    pub fn curvature(self) -> f64 {
        match self {
            Loss::HalfQuadratic => 1.0,
            Loss::Quadratic => 2.0,
        }
    }
}

impl LinearStability {
    /// The Hessians at a coherence.
    pub(super) fn construction(&self, sigma: usize) -> Construction {
        Construction::new(self.n, sigma, self.loss)
    }

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
    const LAB: &'static str = "linear-stability";

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
            loss: Loss::HalfQuadratic,
            seeds: 1,
        }
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut expect = |fine: bool, key: &str, expected: &str, found: String| {
            if !fine {
                problems.push(format!("{key}: expected {expected}, found {found}"));
            }
        };
        let number = |x: f64| x > 0.0 && x.is_finite();
        let n = self.n;
        expect((2..=MOST_SAMPLES).contains(&n), "n", "a whole number from 2 to 1000", n.to_string());
        expect(self.etas.iter().all(|&eta| number(eta)), "etas", "numbers above 0", format!("{:?}", self.etas));
        expect(distinct(&self.etas), "etas", "each number once", format!("{:?}", self.etas));
        let some = !self.etas.is_empty() || self.eta_count > 0;
        expect(some, "etas", "at least one learning rate where eta_count is 0", "none".into());
        let up_to_n = format!("a whole number from 1 to n = {n}");
        for (key, value) in
            [("sigma_step", self.sigma_step), ("sigma", self.sigma), ("batch_size_step", self.batch_size_step)]
        {
            expect((1..=n).contains(&value), key, &up_to_n, value.to_string());
        }
        expect(number(self.eta_min), "eta_min", "a number above 0", self.eta_min.to_string());
        let above = self.eta_max.is_finite() && self.eta_max > self.eta_min;
        expect(above, "eta_max", &format!("a number above eta_min = {}", self.eta_min), self.eta_max.to_string());
        expect(self.eta_count <= 1000, "eta_count", "a whole number up to 1000", self.eta_count.to_string());
        let steps = (1..=MOST_STEPS).contains(&self.steps);
        expect(steps, "steps", &format!("a whole number from 1 to {MOST_STEPS}"), self.steps.to_string());
        expect(self.repetitions > 0, "repetitions", "a whole number above 0", self.repetitions.to_string());
        expect(self.factor > 1.0 && self.factor < 1e100, "factor", "a number from 1 to 1e100", self.factor.to_string());
        expect(!self.samplings.is_empty(), "samplings", "at least one", "none".into());
        expect(distinct(&self.samplings), "samplings", "each sampling once", format!("{:?}", self.samplings));
        expect(self.seeds > 0, "seeds", "a whole number above 0", self.seeds.to_string());
        problems
    }
}

fn distinct<T: PartialEq>(values: &[T]) -> bool {
    values.iter().enumerate().all(|(i, value)| !values[..i].contains(value))
}
