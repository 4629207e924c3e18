//! Sums of numbers and of rows, in an order that depends on their number alone.

use crate::{
    simd::Real,
    tasks::{CHUNK, each_chunk},
};

/// Partial sums that are carried side by side, so that they fill registers.
const LANES: usize = 32;

/// Σ x.
#[inline(always)]
pub(crate) fn sum<T: Real>(x: &[T]) -> T {
    reduce(x, x, |x, _| x)
}

/// Σ a b.
#[inline(always)]
pub(crate) fn product<T: Real>(a: &[T], b: &[T]) -> T {
    reduce(a, b, |a, b| a * b)
}

#[inline(always)]
fn reduce<T: Real>(a: &[T], b: &[T], f: impl Fn(T, T) -> T) -> T {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [T::default(); LANES];
    for (a, b) in a.iter().zip(b) {
        for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
            *sum += f(a, b);
        }
    }
    let mut width = LANES;
    while width > 1 {
        width /= 2;
        for i in 0..width {
            sums[i] += sums[i + width];
        }
    }
    let mut total = sums[0];
    for (&a, &b) in a_rest.iter().zip(b_rest) {
        total += f(a, b);
    }
    total
}

/// Σ over the rows of x `[rows, n]`.
pub(crate) fn over_rows<T: Real>(x: &[T], n: usize) -> Vec<T> {
    let mut sum = vec![T::default(); n];
    each_chunk(&mut sum, CHUNK, x.len(), |index, sum| {
        for x in x.chunks_exact(n) {
            for (sum, &x) in sum.iter_mut().zip(&x[index * CHUNK..]) {
                *sum += x;
            }
        }
    });
    sum
}

/// Σ over the directions of x `[directions, n]`.
pub(crate) fn over_directions<T: Real>(x: Vec<T>, n: usize) -> Vec<T> {
    if x.len() <= n { x } else { over_rows(&x, n) }
}
