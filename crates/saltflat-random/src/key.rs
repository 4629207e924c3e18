//! Names of draws, and draws on the host.

use chacha20::ChaCha8Rng;
use rand::{Rng, SeedableRng, seq::SliceRandom};
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use crate::{
    box_muller::{self, BLOCK},
    draw_kind::DrawKind,
    stream::Stream,
};

/// Names one draw: the run's seed, what the draw is for, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    seed: u64,
    stream: Stream,
    substream: u32,
    step: u64,
    part: u64,
}

/// Entries drawn from one generator when a long vector is filled; the parts are filled in parallel.
pub(crate) const PART: usize = 1 << 15;

/// Bits of a word that a uniform number does not use, so that it is exact in f32.
pub(crate) const UNUSED_BITS: u32 = 8;

/// Distance of neighbouring uniform numbers: 2⁻²⁴.
pub(crate) const UNIFORM_STEP: f32 = 1.0 / 16_777_216.0;

impl Key {
    /// The draw of `stream` at `step` in the run with this `seed`.
    pub fn new(seed: u64, stream: Stream, step: u64) -> Self {
        Self { seed, stream, substream: 0, step, part: 0 }
    }

    /// An independent draw under the same name: a probe of several, a tensor of several.
    pub fn part(self, part: u64) -> Self {
        Self { part, ..self }
    }

    /// An independent draw of the same stream and step for another purpose; 0 is the stream itself.
    pub fn substream(self, substream: u32) -> Self {
        Self { substream, ..self }
    }

    /// The generator of this draw.
    pub fn rng(self) -> ChaCha8Rng {
        self.rng_of_block(0)
    }

    /// The key of the cipher.
    pub(crate) fn words(self) -> [u32; 8] {
        let Self { seed, stream, substream, step, part } = self;
        let halves = |word: u64| [word as u32, (word >> 32) as u32];
        let [a, b, c] = [seed, step, part].map(halves);
        [a[0], a[1], stream as u32, substream, b[0], b[1], c[0], c[1]]
    }

    fn rng_of_block(self, block: u64) -> ChaCha8Rng {
        let mut key = [0; 32];
        for (bytes, word) in key.chunks_exact_mut(4).zip(self.words()) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(block);
        rng
    }

    /// A uniformly random order of `0..n`.
    pub fn permutation(self, n: usize) -> Vec<u32> {
        let mut order: Vec<u32> = (0..n as u32).collect();
        order.shuffle(&mut self.rng());
        order
    }

    /// `n` independent standard normal numbers, by rejection (the ziggurat).
    pub fn normal(self, n: usize) -> Vec<f32> {
        self.fill(0, n, |rng, out| out.iter_mut().for_each(|x| *x = StandardNormal.sample(rng)))
    }

    /// `n` independent standard normal numbers, in pairs √(−2 ln u) (cos 2πt, sin 2πt): what a GPU can draw, too. u has 32 bits, so none is
    /// beyond 6.8.
    ///
    /// Source: Box and Muller 1958, A note on the generation of random normal deviates.
    pub fn box_muller(self, n: usize) -> Vec<f32> {
        self.draw(DrawKind::Normal, 0, n)
    }

    /// `n` independent numbers, −1 or +1 with probability ½ each.
    pub fn signs(self, n: usize) -> Vec<f32> {
        self.draw(DrawKind::Signs, 0, n)
    }

    /// `n` independent numbers, each uniform on the multiples of 2⁻²⁴ from 0 to below 1.
    pub fn uniform(self, n: usize) -> Vec<f32> {
        self.draw(DrawKind::Uniform, 0, n)
    }

    /// The numbers `start`, `start` + 1, … of a draw, `n` of them.
    pub(crate) fn draw(self, kind: DrawKind, start: usize, n: usize) -> Vec<f32> {
        match kind {
            DrawKind::Normal => self.fill(start, n, |rng, out| {
                for out in out.chunks_mut(BLOCK) {
                    let numbers = box_muller::normal(std::array::from_fn(|_| rng.next_u32()));
                    out.copy_from_slice(&numbers[..out.len()]);
                }
            }),
            DrawKind::Signs => self.fill(start, n, |rng, out| {
                for chunk in out.chunks_mut(64) {
                    let bits = rng.next_u64();
                    for (i, x) in chunk.iter_mut().enumerate() {
                        *x = if bits >> i & 1 == 1 { 1.0 } else { -1.0 };
                    }
                }
            }),
            DrawKind::Uniform => self.fill(start, n, |rng, out| {
                out.iter_mut().for_each(|x| *x = (rng.next_u32() >> UNUSED_BITS) as f32 * UNIFORM_STEP);
            }),
        }
    }

    /// `n` numbers from `start` on. The parts that they lie in are drawn from their beginnings.
    fn fill(self, start: usize, n: usize, draw: impl Fn(&mut ChaCha8Rng, &mut [f32]) + Sync) -> Vec<f32> {
        let (first, before) = (start / PART, start % PART);
        let mut out = vec![0.0; before + n];
        out.par_chunks_mut(PART)
            .enumerate()
            .for_each(|(block, out)| draw(&mut self.rng_of_block((first + block) as u64), out));
        if before > 0 {
            out.drain(..before);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(step: u64) -> Key {
        Key::new(7, Stream::Probe, step)
    }

    #[test]
    fn equal_keys_give_equal_draws_and_others_do_not() {
        assert_eq!(key(3).normal(100_000), key(3).normal(100_000));
        assert_ne!(key(3).normal(8), key(4).normal(8));
        assert_ne!(key(3).normal(8), key(3).part(1).normal(8));
        assert_ne!(key(3).normal(8), key(3).substream(1).normal(8));
        assert_ne!(key(3).part(1).normal(8), key(3).substream(1).normal(8));
        assert_eq!(key(3).normal(8), key(3).substream(0).normal(8));
        assert_ne!(key(3).normal(8), Key::new(8, Stream::Probe, 3).normal(8));
        assert_ne!(key(3).normal(8), Key::new(7, Stream::Subset, 3).normal(8));
    }

    #[test]
    fn a_longer_draw_starts_with_the_shorter_one() {
        assert_eq!(key(0).signs(70_000)[..40_000], key(0).signs(40_000));
        assert_eq!(key(0).normal(70_000)[..40_000], key(0).normal(40_000));
    }

    /// A draw that starts later has the numbers of the whole one, whatever parts they lie in.
    #[test]
    fn a_draw_can_start_anywhere() {
        for kind in [DrawKind::Normal, DrawKind::Signs, DrawKind::Uniform] {
            let all = key(4).draw(kind, 0, 100_000);
            for (start, n) in [(0, 0), (1, 5), (32_767, 2), (32_768, 40_000), (40_001, 59_999)] {
                assert_eq!(key(4).draw(kind, start, n), all[start..start + n], "{kind:?} from {start}");
            }
        }
    }

    /// Mean ½ and variance 1/12 within 4 standard errors (Var (u − ½)² = 1/80 − 1/144), all from 0 to below 1, and exact in f32.
    #[test]
    fn uniform_numbers_are_uniform() {
        let n = 1_000_000;
        let draw = key(7).uniform(n);
        assert!(draw.iter().all(|u| (0.0..1.0).contains(u) && (u / UNIFORM_STEP).fract() == 0.0));
        let centred = || draw.iter().map(|&u| f64::from(u) - 0.5);
        let mean = centred().sum::<f64>() / n as f64;
        let square = centred().map(|u| u * u).sum::<f64>() / n as f64;
        assert!(mean.abs() < 4.0 * (1.0 / 12.0 / n as f64).sqrt(), "mean {mean}");
        assert!(
            (square - 1.0 / 12.0).abs() < 4.0 * ((1.0 / 80.0 - 1.0 / 144.0) / n as f64).sqrt(),
            "variance {square}"
        );
        // Of every tenth as many, within 4 standard errors.
        for tenth in 0..10 {
            let count = draw.iter().filter(|&&u| (u * 10.0) as usize == tenth).count() as f64 / n as f64;
            assert!((count - 0.1).abs() < 4.0 * (0.09 / n as f64).sqrt(), "{count} in tenth {tenth}");
        }
    }

    #[test]
    fn the_number_of_threads_does_not_matter() {
        let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("one thread");
        assert_eq!(one.install(|| key(1).normal(200_000)), key(1).normal(200_000));
    }

    /// Mean and variance within 4 standard errors of 0 and 1 (normal: Var x² = 2; signs: exactly 1).
    #[test]
    fn moments() {
        let n = 1_000_000;
        for (draw, var_of_square) in [(key(5).normal(n), 2.0_f64), (key(5).box_muller(n), 2.0), (key(5).signs(n), 0.0)]
        {
            let mean = draw.iter().map(|&x| f64::from(x)).sum::<f64>() / n as f64;
            let square = draw.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / n as f64;
            assert!(mean.abs() < 4.0 / (n as f64).sqrt(), "mean {mean}");
            assert!((square - 1.0).abs() <= 4.0 * (var_of_square / n as f64).sqrt(), "mean square {square}");
        }
    }

    /// The parts of all numbers within 0.5, 1, 2, 3 and 4 of 0 are those of the normal distribution, and neighbours are uncorrelated.
    #[test]
    fn normal_numbers_are_normal() {
        let n = 1_000_000;
        for draw in [key(6).normal(n), key(6).box_muller(n)] {
            // erf(z / √2), Abramowitz and Stegun 1964, table 26.1.
            for (z, p) in
                [(0.5, 0.382_924_9), (1.0, 0.682_689_5), (2.0, 0.954_499_7), (3.0, 0.997_300_2), (4.0, 0.999_936_7_f64)]
            {
                let found = draw.iter().filter(|x| f64::from(x.abs()) < z).count() as f64 / n as f64;
                assert!((found - p).abs() < 4.0 * (p * (1.0 - p) / n as f64).sqrt(), "{found} of all within {z}");
            }
            for lag in 1..4 {
                let products = draw.iter().zip(&draw[lag..]).map(|(&a, &b)| f64::from(a) * f64::from(b));
                let correlation = products.sum::<f64>() / n as f64;
                assert!(correlation.abs() < 4.0 / (n as f64).sqrt(), "{correlation} at distance {lag}");
            }
        }
    }

    #[test]
    fn permutations_hold_every_index_once() {
        let mut order = key(2).permutation(1000);
        assert_ne!(order, (0..1000).collect::<Vec<u32>>());
        order.sort_unstable();
        assert_eq!(order, (0..1000).collect::<Vec<u32>>());
        assert!(key(2).permutation(0).is_empty());
    }
}
