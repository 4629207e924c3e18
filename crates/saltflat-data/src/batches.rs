//! Which samples the batch of a step has.

use rand::seq::index;
use rand_distr::{Binomial, Distribution};
use saltflat_config::named_enum;
use saltflat_random::{Key, Stream};

named_enum! {
    /// How the batch of a step is drawn from n training samples.
    #[derive(Default)]
    pub enum BatchSampling {
        /// A random permutation an epoch, cut into batches: every sample once an epoch. Batches of one epoch are not
        /// independent, which damps the noise that the theory of independent batches predicts.
        #[default]
        Epoch = "epoch",
        /// A uniformly random subset of B samples at every step, independent of all others, as the papers' algorithms and the
        /// theory of linear stability have it.
        Independent = "independent",
        /// Each sample with probability B/n at every step, and the gradient is the sum over the batch divided by B (Dexter et
        /// al. 2024). The size of a batch varies, and it can be empty.
        Bernoulli = "bernoulli",
    }
}

/// The batches of a run. Each is a function of the seed and the step alone.
#[derive(Clone, Debug)]
pub struct Batches {
    sampling: BatchSampling,
    seed: u64,
    samples: usize,
    batch_size: usize,
    steps_per_epoch: u64,
    /// The order of an epoch, kept from one of its steps to the next.
    order: Option<(u64, Vec<u32>)>,
}

impl Batches {
    /// Batches of `batch_size` out of `samples` samples, with 1 ≤ `batch_size` ≤ `samples` and `steps_per_epoch` ≥ 1.
    pub fn new(sampling: BatchSampling, seed: u64, samples: usize, batch_size: usize, steps_per_epoch: u64) -> Self {
        Self { sampling, seed, samples, batch_size, steps_per_epoch, order: None }
    }

    /// The indices of the samples of the step after `step` steps. With [`BatchSampling::Epoch`] the last batch of an epoch
    /// may be smaller.
    pub fn batch(&mut self, step: u64) -> Vec<u32> {
        match self.sampling {
            BatchSampling::Epoch => self.of_epoch(step),
            BatchSampling::Independent => self.subset(step, self.batch_size),
            BatchSampling::Bernoulli => {
                // A subset of a binomial size has each sample independently with the same probability.
                let probability = self.batch_size as f64 / self.samples as f64;
                let size = Binomial::new(self.samples as u64, probability)
                    .map_or(self.batch_size as u64, |size| size.sample(&mut self.key(step).part(1).rng()));
                self.subset(step, size as usize)
            }
        }
    }

    fn key(&self, step: u64) -> Key {
        Key::new(self.seed, Stream::BatchSubset, step)
    }

    fn subset(&self, step: u64, size: usize) -> Vec<u32> {
        index::sample(&mut self.key(step).rng(), self.samples, size).into_iter().map(|i| i as u32).collect()
    }

    fn of_epoch(&mut self, step: u64) -> Vec<u32> {
        let (epoch, within) = (step / self.steps_per_epoch, (step % self.steps_per_epoch) as usize);
        if self.order.as_ref().is_none_or(|(of, _)| *of != epoch) {
            self.order = Some((epoch, epoch_order(self.seed, epoch, self.samples)));
        }
        let order = self.order.as_ref().map_or(&[][..], |(_, order)| order);
        let start = (within * self.batch_size).min(order.len());
        order[start..(start + self.batch_size).min(order.len())].to_vec()
    }
}

/// The order of `n` samples in an epoch: a uniformly random permutation that depends on seed and epoch alone.
pub fn epoch_order(seed: u64, epoch: u64, n: usize) -> Vec<u32> {
    Key::new(seed, Stream::BatchOrder, epoch).permutation(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batches(sampling: BatchSampling, samples: usize, batch_size: usize) -> Batches {
        Batches::new(sampling, 3, samples, batch_size, samples.div_ceil(batch_size) as u64)
    }

    #[test]
    fn every_sample_once_an_epoch_and_every_epoch_another_order() {
        let order = epoch_order(3, 5, 100);
        assert_eq!(order, epoch_order(3, 5, 100));
        assert_ne!(order, epoch_order(3, 6, 100));
        assert_ne!(order, epoch_order(4, 5, 100));
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<u32>>());

        // 100 samples in batches of 30: four steps an epoch, the last one of 10. Any step can be asked for first.
        let mut all = batches(BatchSampling::Epoch, 100, 30);
        let found: Vec<Vec<u32>> = (20..24).map(|step| all.batch(step)).collect();
        assert_eq!(found.concat(), order);
        assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [30, 30, 30, 10]);
        assert_eq!(all.batch(0), epoch_order(3, 0, 100)[..30]);
        assert_eq!(all.batch(22), found[2]);
    }

    #[test]
    fn a_batch_depends_on_seed_and_step_alone() {
        for (_, sampling) in BatchSampling::ALL {
            let mut all = batches(sampling, 100, 30);
            let (first, second) = (all.batch(7), all.batch(8));
            assert_ne!(first, second, "{sampling:?}");
            assert_eq!(batches(sampling, 100, 30).batch(8), second, "{sampling:?}");
            assert_ne!(Batches::new(sampling, 4, 100, 30, 4).batch(7), first, "{sampling:?}");
        }
    }

    /// Inclusion of a sample has mean B/n; of two samples together B(B − 1)/(n(n − 1)) without replacement and (B/n)² if each is
    /// drawn by itself, which also gives the size the variance B(1 − B/n). All within 4 standard errors of 20,000 steps.
    #[test]
    fn inclusions_have_their_probabilities() {
        let (n, b, steps) = (12, 5, 20_000);
        let (p, count) = (b as f64 / n as f64, f64::from(steps));
        let without = p * (b - 1) as f64 / (n - 1) as f64;
        for (sampling, pair, variance) in
            [(BatchSampling::Independent, without, 0.0), (BatchSampling::Bernoulli, p * p, b as f64 * (1.0 - p))]
        {
            let mut all = batches(sampling, n, b);
            let (mut single, mut both, mut squares, mut empty) = (vec![0.0; n], 0.0, 0.0, 0);
            for step in 0..steps {
                let batch = all.batch(u64::from(step as u32));
                let mut sorted = batch.clone();
                sorted.sort_unstable();
                sorted.dedup();
                assert_eq!(sorted.len(), batch.len(), "no sample twice");
                batch.iter().for_each(|&i| single[i as usize] += 1.0);
                both += f64::from(u8::from(batch.contains(&2) && batch.contains(&9)));
                squares += (batch.len() as f64 - b as f64).powi(2);
                empty += u32::from(batch.is_empty());
            }
            let near = |found: f64, expected: f64, variance: f64| {
                assert!(
                    (found - expected).abs() <= 4.0 * (variance / count).sqrt(),
                    "{sampling:?}: {found} {expected}"
                );
            };
            single.iter().for_each(|sum| near(sum / count, p, p * (1.0 - p)));
            near(both / count, pair, pair * (1.0 - pair));
            // Var of (k − B)² is at most its fourth moment: 3 V² + V(1 − 6p(1 − p)) for a binomial k of variance V.
            near(squares / count, variance, 3.0 * variance * variance + variance);
            // (1 − p)¹² = 0.00155 of the steps have no sample.
            let nothing = if variance > 0.0 { (1.0 - p).powi(12) } else { 0.0 };
            near(f64::from(empty) / count, nothing, nothing * (1.0 - nothing));
        }
    }

    #[test]
    fn a_full_batch_has_every_sample() {
        for (_, sampling) in BatchSampling::ALL {
            let mut batch = batches(sampling, 9, 9).batch(5);
            batch.sort_unstable();
            assert_eq!(batch, (0..9).collect::<Vec<u32>>(), "{sampling:?}");
        }
    }
}
