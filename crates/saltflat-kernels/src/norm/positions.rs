//! Normalisation over the channels at every position: what its value, its coefficients and their gradients have in common.
//!
//! With c the input of a position, centred or not, s = mean c² + ε and r = s^−½, the normalised input is f = c r. The formulas of the
//! derivatives are those of groups of channels (`groups.rs`), with means over the channels.

use std::ops::Range;

use crate::{simd::Real, tasks::each_chunk_with};

/// Positions that are taken together, at most: their channels should stay in the cache.
const MOST: usize = 64;

/// A number for each position of a block.
pub(super) type OfPositions<T> = [T; MOST];

/// `[images, channels, positions]`, and what is made of it. What belongs to directions has `[directions · images, …]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Positions {
    pub(super) images: usize,
    pub(super) channels: usize,
    pub(super) positions: usize,
    pub(super) eps: f64,
    pub(super) centred: bool,
}

/// Some positions of one image along one direction.
pub(super) struct Block {
    /// The image's numbers in the images.
    image: Range<usize>,
    /// Its numbers among those of all directions.
    numbers: Range<usize>,
    /// The positions.
    at: Range<usize>,
}

/// Three inputs of a block, `[channels, positions]`.
pub(super) struct Scratch<T>([Vec<T>; 3]);

impl<T> Scratch<T> {
    /// The first `len` numbers of each.
    pub(super) fn parts(&mut self, len: usize) -> [&mut [T]; 3] {
        self.0.each_mut().map(|part| &mut part[..len])
    }
}

impl Positions {
    /// Of a tensor of `numbers` numbers, made by `make` block by block: it gives the terms of a sum and the factors of each.
    pub(super) fn each<T: Real>(
        self,
        numbers: usize,
        make: impl Fn(&Block, [&mut [T]; 3]) -> [OfPositions<T>; 3] + Send + Sync,
    ) -> Vec<T> {
        let size = self.channels * self.positions;
        // Blocks of nearly equal length, as a short one takes as long as a full one.
        let step = self.positions.div_ceil(self.positions.div_ceil(MOST).max(1)).max(1);
        let (arch, mut out) = (pulp::Arch::new(), vec![T::default(); numbers]);
        let scratch = || Scratch(std::array::from_fn(|_| vec![T::default(); self.channels * step]));
        each_chunk_with(&mut out, size, numbers * 4, scratch, |scratch, row, out| {
            let start = row % self.images.max(1) * size;
            arch.dispatch(|| {
                for first in (0..self.positions).step_by(step) {
                    let at = first..(first + step).min(self.positions);
                    let len = at.len();
                    let block = Block { image: start..start + size, numbers: row * size..(row + 1) * size, at };
                    let factors = make(&block, scratch.parts(self.channels * len));
                    combine(out, &block.at, self.positions, scratch.parts(self.channels * len), &factors);
                }
            });
        });
        out
    }

    /// c of a block, and r.
    #[inline(always)]
    pub(super) fn standardise<T: Real>(self, x: &[T], block: &Block, c: &mut [T]) -> OfPositions<T> {
        self.centre(&x[block.image.clone()], block, c);
        let mut r = self.mean_products(c, c, block);
        for r in &mut r[..block.at.len()] {
            *r = (*r + T::of(self.eps)).reciprocal_root();
        }
        r
    }

    /// The numbers of a direction in a block, centred if the input is, and the means of their products with c.
    #[inline(always)]
    pub(super) fn centre_along<T: Real>(self, a: &[T], block: &Block, c: &[T], out: &mut [T]) -> OfPositions<T> {
        self.centre(&a[block.numbers.clone()], block, out);
        self.mean_products(c, out, block)
    }

    #[inline(always)]
    fn centre<T: Real>(self, x: &[T], block: &Block, out: &mut [T]) {
        let len = block.at.len();
        for (out, x) in out.chunks_exact_mut(len).zip(x.chunks_exact(self.positions)) {
            out.copy_from_slice(&x[block.at.clone()]);
        }
        if !self.centred {
            return;
        }
        let mut mean = [T::default(); MOST];
        for x in out.chunks_exact(len) {
            for (mean, &x) in mean.iter_mut().zip(x) {
                *mean += x;
            }
        }
        let part = T::of(1.0 / self.channels as f64);
        for x in out.chunks_exact_mut(len) {
            for (x, &mean) in x.iter_mut().zip(&mean) {
                *x = *x - mean * part;
            }
        }
    }

    /// The means over the channels of a b.
    #[inline(always)]
    pub(super) fn mean_products<T: Real>(self, a: &[T], b: &[T], block: &Block) -> OfPositions<T> {
        let len = block.at.len();
        let mut sum = [T::default(); MOST];
        for (a, b) in a.chunks_exact(len).zip(b.chunks_exact(len)) {
            for ((sum, &a), &b) in sum.iter_mut().zip(a).zip(b) {
                *sum += a * b;
            }
        }
        let part = T::of(1.0 / self.channels as f64);
        sum.map(|sum| sum * part)
    }
}

/// Σ_j factor_j term_j at the positions of a block.
#[inline(always)]
fn combine<T: Real>(
    out: &mut [T],
    at: &Range<usize>,
    positions: usize,
    terms: [&mut [T]; 3],
    factors: &[OfPositions<T>; 3],
) {
    let len = at.len();
    let [c, a, b] = terms;
    let rows = c.chunks_exact(len).zip(a.chunks_exact(len)).zip(b.chunks_exact(len));
    for (out, ((c, a), b)) in out.chunks_exact_mut(positions).zip(rows) {
        let out = &mut out[at.clone()];
        for (i, out) in out.iter_mut().enumerate() {
            *out = factors[0][i] * c[i] + factors[1][i] * a[i] + factors[2][i] * b[i];
        }
    }
}
