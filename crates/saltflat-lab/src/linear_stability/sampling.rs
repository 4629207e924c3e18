//! How batches are drawn, and how often a batch meets a set of samples.

use rand::{Rng, RngExt};
use saltflat_config::named_enum;

named_enum! {
    /// How a batch of B of n samples is drawn.
    pub enum Sampling {
        /// Each sample by itself with probability B/n (definition 1): B is the mean of the batch's size.
        Bernoulli = "bernoulli",
        /// B different samples.
        WithoutReplacement = "without-replacement",
        /// B samples, each any of the n.
        WithReplacement = "with-replacement",
    }
}

/// ln k! for k up to some number.
pub(super) struct LogFactorials(Vec<f64>);

impl LogFactorials {
    pub fn up_to(n: usize) -> Self {
        let mut logs = vec![0.0];
        (1..=n).for_each(|k| logs.push(logs[k - 1] + (k as f64).ln()));
        Self(logs)
    }

    /// ln of `n` over `k`; −∞ if `k` is more than `n`.
    fn choose(&self, n: usize, k: usize) -> f64 {
        if k > n { f64::NEG_INFINITY } else { self.0[n] - self.0[k] - self.0[n - k] }
    }

    fn binomial(&self, trials: usize, p: f64) -> Vec<f64> {
        let power = |x: f64, k: usize| if k == 0 { 0.0 } else { k as f64 * x.ln() };
        let at = |k: usize| (self.choose(trials, k) + power(p, k) + power(1.0 - p, trials - k)).exp();
        (0..=trials).map(at).collect()
    }

    /// The probabilities of K = 0, 1, …, K the number of draws of a batch in `s` of the `n` samples: Bin(s, B/n),
    /// hypergeometric, Bin(B, s/n).
    pub fn counts(&self, sampling: Sampling, n: usize, s: usize, batch_size: usize) -> Vec<f64> {
        match sampling {
            Sampling::Bernoulli => self.binomial(s, batch_size as f64 / n as f64),
            Sampling::WithReplacement => self.binomial(batch_size, s as f64 / n as f64),
            Sampling::WithoutReplacement => {
                let all = self.choose(n, batch_size);
                let rest = |k: usize| self.choose(n - s, batch_size - k);
                (0..=s.min(batch_size)).map(|k| (self.choose(s, k) + rest(k) - all).exp()).collect()
            }
        }
    }
}

/// Draws batches, one after another.
pub(super) struct Sampler {
    sampling: Sampling,
    batch_size: usize,
    /// Some order of the samples, which every draw without replacement goes on to shuffle.
    order: Vec<u32>,
}

impl Sampler {
    /// Batches of `batch_size` of `n` samples, at most all of them.
    pub fn new(sampling: Sampling, n: usize, batch_size: usize) -> Self {
        Self { sampling, batch_size: batch_size.min(n), order: (0..n as u32).collect() }
    }

    /// Writes how often each sample is in the next batch.
    pub fn draw(&mut self, rng: &mut impl Rng, times: &mut [u32]) {
        let n = self.order.len();
        match self.sampling {
            Sampling::Bernoulli => {
                // Of 2³² words; all of them if B = n.
                let below = ((self.batch_size as u64) << 32) / n as u64;
                times.iter_mut().for_each(|t| *t = u32::from(u64::from(rng.next_u32()) < below));
            }
            Sampling::WithReplacement => {
                times.fill(0);
                for _ in 0..self.batch_size {
                    times[rng.random_range(0..n)] += 1;
                }
            }
            Sampling::WithoutReplacement => {
                // For a large batch those are drawn that are not in it.
                let (drawn, mark) =
                    if 2 * self.batch_size > n { (n - self.batch_size, 0) } else { (self.batch_size, 1) };
                times.fill(1 - mark);
                for i in 0..drawn {
                    self.order.swap(i, rng.random_range(i..n));
                    times[self.order[i] as usize] = mark;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use saltflat_random::{Key, Stream};

    /// Var K / B of the number K of draws in `s` of the n samples: B(s/n)(1 − B/n)/B with Bernoulli draws, the
    /// hypergeometric and the binomial variance for the others.
    fn variance_per_draw(sampling: Sampling, n: usize, s: usize, batch_size: f64) -> f64 {
        let (n, s) = (n as f64, s as f64);
        match sampling {
            Sampling::Bernoulli => s / n * (1.0 - batch_size / n),
            Sampling::WithoutReplacement => s / n * (1.0 - s / n) * (n - batch_size) / (n - 1.0),
            Sampling::WithReplacement => s / n * (1.0 - s / n),
        }
    }

    /// The probabilities sum to 1, with mean Bs/n and the variance that the lines use.
    #[test]
    fn counts_have_their_moments() {
        let logs = LogFactorials::up_to(60);
        for (_, sampling) in Sampling::ALL {
            for (s, batch_size) in [(1, 1), (7, 20), (7, 60), (60, 13), (60, 60), (59, 2)] {
                let p = logs.counts(sampling, 60, s, batch_size);
                let moment =
                    |power: i32| -> f64 { p.iter().enumerate().map(|(k, p)| p * (k as f64).powi(power)).sum() };
                let mean = (batch_size * s) as f64 / 60.0;
                let variance = batch_size as f64 * variance_per_draw(sampling, 60, s, batch_size as f64);
                assert!((moment(0) - 1.0).abs() < 1e-11 && (moment(1) - mean).abs() < 1e-11 * (1.0 + mean));
                assert!((moment(2) - mean * mean - variance).abs() < 1e-10 * (1.0 + mean * mean), "{sampling:?} {s}");
            }
        }
    }

    /// The share of batches that meet the first s samples k times is within 4.5 standard errors of its probability, and
    /// every sample is drawn B/n times a batch.
    #[test]
    fn draws_follow_the_probabilities() {
        let (n, s, many) = (12, 4, 40_000);
        let logs = LogFactorials::up_to(n);
        for (_, sampling) in Sampling::ALL {
            for batch_size in [1, 5, 9, 12] {
                let mut rng = Key::new(3, Stream::LabNoise, 0).part(batch_size as u64).rng();
                let mut sampler = Sampler::new(sampling, n, batch_size);
                let (mut times, mut seen, mut each) = (vec![0; n], vec![0.0; 2 * n], vec![0.0; n]);
                for _ in 0..many {
                    sampler.draw(&mut rng, &mut times);
                    seen[times[..s].iter().sum::<u32>() as usize] += 1.0;
                    each.iter_mut().zip(&times).for_each(|(sum, &t)| *sum += f64::from(t));
                    if sampling != Sampling::Bernoulli {
                        assert_eq!(times.iter().sum::<u32>(), batch_size as u32);
                    }
                }
                let near = |seen: f64, p: f64, variance: f64| {
                    (seen / f64::from(many) - p).abs() <= 4.5 * (variance / f64::from(many)).sqrt() + 1e-12
                };
                for (k, p) in logs.counts(sampling, n, s, batch_size).into_iter().enumerate() {
                    assert!(near(seen[k], p, p * (1.0 - p).max(0.0)), "{sampling:?} {batch_size} {k}: {}", seen[k]);
                }
                let variance = batch_size as f64 * variance_per_draw(sampling, n, 1, batch_size as f64);
                let mean = batch_size as f64 / n as f64;
                assert!(each.iter().all(|&sum| near(sum, mean, variance)), "{sampling:?} {batch_size} {each:?}");
            }
        }
    }
}
