//! Sums that stay in registers: M rows of V vectors.

use pulp::Simd;

use crate::simd::Real;

/// sums[i][j] += Σ_c x[i][c] w[c][j].
#[inline(always)]
pub(crate) fn inner_products<S: Simd, T: Real, const M: usize, const V: usize>(
    simd: S,
    x: [&[T]; M],
    weight: &[[T::Vector<S>; V]],
    mut sums: [[T::Vector<S>; V]; M],
) -> [[T::Vector<S>; V]; M] {
    let depth = weight.len();
    let x = x.map(|x| &x[..depth]);
    for (c, weight) in weight.iter().enumerate() {
        for (x, sums) in x.iter().zip(&mut sums) {
            let x = T::splat(simd, x[c]);
            for (sum, &weight) in sums.iter_mut().zip(weight) {
                *sum = T::multiply_add(simd, x, weight, *sum);
            }
        }
    }
    sums
}

/// sums[i][j] += Σ_p delta[p][i] x[p][j].
#[inline(always)]
pub(crate) fn outer_products<'a, S: Simd, T: Real, const M: usize, const V: usize>(
    simd: S,
    x: impl Iterator<Item = &'a [T::Vector<S>; V]>,
    delta: &[[T; M]],
    mut sums: [[T::Vector<S>; V]; M],
) -> [[T::Vector<S>; V]; M]
where
    T::Vector<S>: 'a,
{
    for (delta, x) in delta.iter().zip(x) {
        for (&delta, sums) in delta.iter().zip(&mut sums) {
            let delta = T::splat(simd, delta);
            for (sum, &x) in sums.iter_mut().zip(x) {
                *sum = T::multiply_add(simd, delta, x, *sum);
            }
        }
    }
    sums
}

/// sums[i][j] += delta[i] x[j], vector by vector.
#[inline(always)]
pub(crate) fn lanewise_products<S: Simd, T: Real, const M: usize, const K: usize>(
    simd: S,
    x: [&[T::Vector<S>]; K],
    delta: [&[T::Vector<S>]; M],
    mut sums: [[T::Vector<S>; K]; M],
) -> [[T::Vector<S>; K]; M] {
    let len = x[0].len();
    let (x, delta) = (x.map(|x| &x[..len]), delta.map(|delta| &delta[..len]));
    for at in 0..len {
        for (delta, sums) in delta.iter().zip(&mut sums) {
            for (x, sum) in x.iter().zip(sums) {
                *sum = T::multiply_add(simd, delta[at], x[at], *sum);
            }
        }
    }
    sums
}
