//! Linearised SGD from one start.

use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

use super::{
    construction::Construction,
    sampling::{Sampler, Sampling},
};

/// How a repetition ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The norm grew by the factor.
    Diverged,
    /// It fell by the factor.
    Decayed,
    /// Neither, at the last step.
    Between,
}

/// When a repetition ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    pub steps: u64,
    pub factor: f64,
}

/// The dynamics of definition 1: w ← (I − (η/B) Σ_{i∈S} Hᵢ) w, for Hessians of a [`Construction`].
pub(super) struct Trajectory {
    sigma: usize,
    /// ηm/B.
    rate: f64,
    sampler: Sampler,
    times: Vec<u32>,
    w: Vec<f64>,
}

impl Trajectory {
    pub fn new(construction: &Construction, eta: f64, batch_size: usize, sampling: Sampling) -> Self {
        Self {
            sigma: construction.sigma,
            rate: eta * construction.curvature / batch_size as f64,
            sampler: Sampler::new(sampling, construction.n, batch_size),
            times: vec![0; construction.n],
            w: vec![0.0; construction.dimension()],
        }
    }

    /// From a standard normal start to an ending. The norm stays within the rule's factor of its start, a step changes it by
    /// at most |1 − ηmn/B|, and a coordinate that underflows counts for nothing: numbers need no care.
    pub fn run(&mut self, rule: Rule, rng: &mut impl Rng) -> Ending {
        self.w.iter_mut().for_each(|w| *w = StandardNormal.sample(rng));
        let start = self.norm_squared();
        let (high, low) = (start * rule.factor.powi(2), start / rule.factor.powi(2));
        for _ in 0..rule.steps {
            self.step(rng);
            let now = self.norm_squared();
            if now <= low {
                return Ending::Decayed;
            }
            // What is not a number has left all bounds too.
            if now.is_nan() || now >= high {
                return Ending::Diverged;
            }
        }
        Ending::Between
    }

    fn step(&mut self, rng: &mut impl Rng) {
        self.sampler.draw(rng, &mut self.times);
        let (shared, others) = self.times.split_at(self.sigma);
        let shared: u32 = shared.iter().sum();
        self.w[0] *= 1.0 - self.rate * f64::from(shared);
        for (w, &times) in self.w[1..].iter_mut().zip(others) {
            *w *= 1.0 - self.rate * f64::from(times);
        }
    }

    fn norm_squared(&self) -> f64 {
        self.w.iter().map(|w| w * w).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linear_stability::SampleLoss;
    use saltflat_random::{Key, Stream};

    fn rng() -> impl Rng {
        Key::new(1, Stream::LabNoise, 0).rng()
    }

    const FOREVER: Rule = Rule { steps: 10, factor: 1e90 };

    /// Definition 1 with every sample in the batch: coordinate j is multiplied by 1 − ηλⱼ, λ₁ = 2 and λⱼ = 2/σ.
    #[test]
    fn a_batch_of_all_is_gradient_descent() {
        let construction = Construction::new(10, 4, SampleLoss::HalfQuadratic);
        for sampling in [Sampling::Bernoulli, Sampling::WithoutReplacement] {
            let mut trajectory = Trajectory::new(&construction, 0.7, 10, sampling);
            assert_eq!(trajectory.run(Rule { steps: 0, ..FOREVER }, &mut rng()), Ending::Between);
            let start = trajectory.w.clone();
            assert_eq!((trajectory.run(FOREVER, &mut rng()), start.len()), (Ending::Between, 7));
            for (j, (now, start)) in trajectory.w.iter().zip(&start).enumerate() {
                let factor: f64 = if j == 0 { 1.0 - 0.7 * 2.0 } else { 1.0 - 0.7 * 2.0 / 4.0 };
                assert!((now - start * factor.powi(10)).abs() < 1e-12 * start.abs(), "{sampling:?} {j}");
            }
        }
    }

    /// One coordinate that is multiplied by 1 − ηm at each step: by 3 here, which is a thousandfold after 7 steps; by 0.3,
    /// a thousandth after 6.
    #[test]
    fn a_repetition_ends_at_the_factor() {
        let construction = Construction::new(2, 2, SampleLoss::HalfQuadratic);
        let ends = |eta: f64, steps: u64| {
            let mut trajectory = Trajectory::new(&construction, eta, 1, Sampling::WithReplacement);
            trajectory.run(Rule { steps, factor: 1000.0 }, &mut rng())
        };
        assert_eq!((ends(2.0, 6), ends(2.0, 7)), (Ending::Between, Ending::Diverged));
        assert_eq!((ends(0.35, 5), ends(0.35, 6)), (Ending::Between, Ending::Decayed));
        // Exactly zero, and beyond all numbers.
        assert_eq!((ends(0.5, 1), ends(1e300, 1)), (Ending::Decayed, Ending::Diverged));
    }

    /// A coordinate of one sample of ten, in batches of two: after t steps E ln|w/w₀| = t(B/n) ln|1 − ηm/B|, its variance
    /// t(B/n)(1 − B/n) ln²|1 − ηm/B|. Within 4.5 standard errors over 2000 trajectories.
    #[test]
    fn a_single_coordinate_follows_its_closed_form() {
        let construction = Construction::new(10, 4, SampleLoss::HalfQuadratic);
        let log = (1.0 - 0.7 * construction.curvature / 2.0f64).abs().ln();
        for sampling in [Sampling::Bernoulli, Sampling::WithoutReplacement] {
            let mut trajectory = Trajectory::new(&construction, 0.7, 2, sampling);
            let (mut rng, mut sum, many) = (rng(), 0.0, 2000);
            for _ in 0..many {
                trajectory.w.fill(1.0);
                (0..10).for_each(|_| trajectory.step(&mut rng));
                sum += trajectory.w[3].abs().ln();
            }
            let (mean, error) = (sum / f64::from(many), (10.0 * 0.2 * 0.8 / f64::from(many)).sqrt() * log.abs());
            assert!((mean - 10.0 * 0.2 * log).abs() < 4.5 * error, "{sampling:?}: {mean} ± {error}");
        }
    }
}
