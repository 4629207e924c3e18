//! The transforms of one dimension, which kernels, inputs and outputs of a tile go through once for its rows and once for its columns.

use pulp::Simd;

use crate::{conv::window::Sliding, simd::Real};

/// Entries of a transformed tile.
pub(super) const ENTRIES: usize = 16;

/// Rows and columns of tiles of an image.
pub(super) fn grid(sizes: &Sliding) -> [usize; 2] {
    [sizes.h.div_ceil(2), sizes.w.div_ceil(2)]
}

/// G g of one dimension of M kernels.
#[inline(always)]
pub(super) fn transform_kernel<T: Real, const M: usize>(g: [[T; M]; 3]) -> [[T; M]; 4] {
    let half = T::of(0.5);
    let mut out = [g[0], g[0], g[0], g[2]];
    for m in 0..M {
        let (sum, middle) = (half * (g[0][m] + g[2][m]), half * g[1][m]);
        (out[1][m], out[2][m]) = (sum + middle, sum - middle);
    }
    out
}

/// Bᵀ d of one dimension.
#[inline(always)]
pub(super) fn transform_input<S: Simd, T: Real>(simd: S, d: [T::Vector<S>; 4]) -> [T::Vector<S>; 4] {
    [T::minus(simd, d[0], d[2]), T::plus(simd, d[1], d[2]), T::minus(simd, d[2], d[1]), T::minus(simd, d[1], d[3])]
}

/// Aᵀ m of one dimension.
#[inline(always)]
pub(super) fn transform_output<S: Simd, T: Real>(simd: S, m: [T::Vector<S>; 4]) -> [T::Vector<S>; 2] {
    let (sum, difference) = (T::plus(simd, m[1], m[2]), T::minus(simd, m[1], m[2]));
    [T::plus(simd, m[0], sum), T::minus(simd, difference, m[3])]
}

/// A δ of one dimension.
#[inline(always)]
pub(super) fn transform_cotangent<S: Simd, T: Real>(simd: S, a: T::Vector<S>, b: T::Vector<S>) -> [T::Vector<S>; 4] {
    [a, T::plus(simd, a, b), T::minus(simd, a, b), T::minus(simd, T::splat(simd, T::default()), b)]
}

/// Gᵀ s of one dimension.
#[inline(always)]
pub(super) fn transform_weight_gradient<S: Simd, T: Real>(simd: S, s: [T::Vector<S>; 4]) -> [T::Vector<S>; 3] {
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
pub(super) fn column<V: Copy, const N: usize>(rows: &[[V; N]; 4], j: usize) -> [V; 4] {
    [rows[0][j], rows[1][j], rows[2][j], rows[3][j]]
}
