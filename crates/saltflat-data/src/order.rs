//! The order of the samples in an epoch.

use saltflat_random::{Key, Stream};

/// The order of `n` samples in an epoch: a uniformly random permutation that depends on seed and epoch alone.
///
/// Batches are consecutive pieces of it, `epoch_order(..).chunks(batch_size)`; the last one may be smaller.
pub fn epoch_order(seed: u64, epoch: u64, n: usize) -> Vec<u32> {
    Key::new(seed, Stream::BatchOrder, epoch).permutation(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_once_an_epoch_and_every_epoch_another_order() {
        let order = epoch_order(3, 5, 100);
        assert_eq!(order, epoch_order(3, 5, 100));
        assert_ne!(order, epoch_order(3, 6, 100));
        assert_ne!(order, epoch_order(4, 5, 100));
        let mut sorted = order;
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<u32>>());
    }
}
