//! Deterministic damage.

use rand::RngExt;
use saltflat_random::{Key, Stream};

/// Numbers at which readers stumble.
const NUMBERS: &str = "0 -1 1e999 nan -0.0 1e-320 4294967296 9223372036854775807 18446744073709551615 null [] {}";

/// Changes bytes as a fuzzer does, the same ones for the same seed.
pub struct Mutator {
    seed: u64,
}

impl Mutator {
    /// Of this seed.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The `index`-th damage to `bytes`: one to four of flipped and replaced bytes, cuts, repetitions, pieces of `other` and
    /// numbers at which readers stumble.
    pub fn damaged(&self, index: u64, bytes: &[u8], other: &[u8]) -> Vec<u8> {
        let mut rng = Key::new(self.seed, Stream::Init, index).rng();
        let mut out = bytes.to_vec();
        for _ in 0..rng.random_range(1..=4) {
            let at = rng.random_range(0..=out.len());
            let end = (at + rng.random_range(0..=16usize)).min(out.len());
            match rng.random_range(0..7) {
                0 if at < out.len() => out[at] ^= 1 << rng.random_range(0..8),
                1 if at < out.len() => out[at] = rng.random_range(0..=255),
                2 => out.truncate(at),
                3 => drop(out.drain(at..end)),
                4 => {
                    let piece = out[at..end].to_vec();
                    drop(out.splice(at..at, piece));
                }
                5 => {
                    let from = rng.random_range(0..=other.len());
                    let to = (from + rng.random_range(0..=64usize)).min(other.len());
                    drop(out.splice(at..end, other[from..to].iter().copied()));
                }
                _ => {
                    let numbers: Vec<&str> = NUMBERS.split(' ').collect();
                    let number = numbers[rng.random_range(0..numbers.len())];
                    drop(out.splice(at..end, number.bytes()));
                }
            }
        }
        out
    }
}
