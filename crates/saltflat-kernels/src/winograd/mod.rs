//! Winograd's F(2 × 2, 3 × 3): a 3 × 3 convolution of stride 1 with 16 multiplications for four positions instead of 36.
//!
//! Y = Aᵀ (Σ_c (G g Gᵀ) ⊙ (Bᵀ d B)) A for a tile of 2 × 2 outputs, its 4 × 4 inputs d and the kernel g of each input channel c. Of
//! the 16 entries of a tile each is a matrix product of its own, channels by tiles: with tiles innermost, as they lie in the images, for
//! the value and the gradient with respect to the input; with channels innermost for that with respect to the weight, which is
//! Gᵀ (Σ (A δ Aᵀ) ⊙ (Bᵀ d B)) G over all tiles, δ the cotangent of Y. The factors of A and B are 0 and ±1, those of G are 0, ½ and 1.
//!
//! Source: Lavin and Gray 2016, Fast algorithms for convolutional neural networks.

mod correlate;
mod images;
mod rows;
mod weight_gradient;

use pulp::Simd;

pub(crate) use self::{correlate::correlate, weight_gradient::weight_gradient};
use crate::{
    Real,
    window::{Sizes, Sliding},
};

/// Channels times positions of a row from which tiles are worth their transforms, in sums over channels.
const WORTH: usize = 256;

/// The same in images of odd sides.
const WORTH_ODD: usize = 1024;

/// The same for the gradient with respect to the weight.
const WORTH_WEIGHT: usize = 512;

/// Tiles from which a gradient with respect to the weight is worth its transform.
const ENOUGH: usize = 128;

/// Entries of a transformed tile.
const ENTRIES: usize = 16;

/// Whether it serves the value of a convolution, and the gradient with respect to its input, best: not where channels are so few, or
/// rows so short, that transforming images takes longer than what is saved.
pub(crate) fn serves(sizes: &Sizes) -> bool {
    let even = sizes.output().iter().all(|side| side % 2 == 0);
    fits(sizes, if even { WORTH } else { WORTH_ODD })
}

/// Whether it serves the gradient with respect to the weight best; not where tiles are few, either.
pub(crate) fn serves_weight(sizes: &Sizes) -> bool {
    let tiles: usize = sizes.output().iter().map(|side| side.div_ceil(2)).product();
    fits(sizes, WORTH_WEIGHT) && sizes.images * tiles >= ENOUGH
}

fn fits(sizes: &Sizes, worth: usize) -> bool {
    let [_, w] = sizes.output();
    sizes.window.kernel == 3 && Sliding::fits(sizes) && w > 2 && sizes.inputs.min(sizes.outputs) * w >= worth
}

/// Rows and columns of tiles of an image.
fn grid(sizes: &Sliding) -> [usize; 2] {
    [sizes.h.div_ceil(2), sizes.w.div_ceil(2)]
}

/// G g, of M kernels.
#[inline(always)]
fn three<T: Real, const M: usize>(g: [[T; M]; 3]) -> [[T; M]; 4] {
    let half = T::of(0.5);
    let mut out = [g[0], g[0], g[0], g[2]];
    for m in 0..M {
        let (sum, middle) = (half * (g[0][m] + g[2][m]), half * g[1][m]);
        (out[1][m], out[2][m]) = (sum + middle, sum - middle);
    }
    out
}

/// Bᵀ d.
#[inline(always)]
fn four<S: Simd, T: Real>(simd: S, d: [T::Vector<S>; 4]) -> [T::Vector<S>; 4] {
    [T::minus(simd, d[0], d[2]), T::plus(simd, d[1], d[2]), T::minus(simd, d[2], d[1]), T::minus(simd, d[1], d[3])]
}

/// Aᵀ m.
#[inline(always)]
fn two<S: Simd, T: Real>(simd: S, m: [T::Vector<S>; 4]) -> [T::Vector<S>; 2] {
    let (sum, difference) = (T::plus(simd, m[1], m[2]), T::minus(simd, m[1], m[2]));
    [T::plus(simd, m[0], sum), T::minus(simd, difference, m[3])]
}

/// A δ.
#[inline(always)]
fn spread<S: Simd, T: Real>(simd: S, a: T::Vector<S>, b: T::Vector<S>) -> [T::Vector<S>; 4] {
    [a, T::plus(simd, a, b), T::minus(simd, a, b), T::minus(simd, T::splat(simd, T::default()), b)]
}

/// Gᵀ s.
#[inline(always)]
fn gather<S: Simd, T: Real>(simd: S, s: [T::Vector<S>; 4]) -> [T::Vector<S>; 3] {
    let half = T::splat(simd, T::of(0.5));
    let (sum, difference) = (T::plus(simd, s[1], s[2]), T::minus(simd, s[1], s[2]));
    let zero = T::splat(simd, T::default());
    [
        T::multiply_add(simd, half, sum, s[0]),
        T::multiply_add(simd, half, difference, zero),
        T::multiply_add(simd, half, sum, s[3]),
    ]
}

/// Column j of four rows.
#[inline(always)]
fn column<V: Copy, const N: usize>(rows: &[[V; N]; 4], j: usize) -> [V; 4] {
    [rows[0][j], rows[1][j], rows[2][j], rows[3][j]]
}
