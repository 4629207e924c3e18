//! Operations on every number by itself, and sums, each on all cores.

use crate::{Real, tasks::each_chunk};

/// Numbers of a task: small enough for the second-level cache, large enough to be worth a task.
const CHUNK: usize = 1 << 14;

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
            sums[i] = sums[i] + sums[i + width];
        }
    }
    let mut total = sums[0];
    for (&a, &b) in a_rest.iter().zip(b_rest) {
        total += f(a, b);
    }
    total
}

/// out_i = f(a_i, b_i), where `a` may be the shorter one and is repeated.
fn map<T: Real>(a: &[T], b: &[T], f: impl Fn(T, T) -> T + Send + Sync) -> Vec<T> {
    let arch = pulp::Arch::new();
    let mut out = vec![T::default(); b.len()];
    each_chunk(
        &mut out,
        CHUNK,
        b.len(),
        || (),
        |(), index, out| {
            let (mut out, mut start) = (out, index * CHUNK);
            // Up to the end of what is repeated at a time.
            while !out.is_empty() {
                let first = start % a.len();
                let count = out.len().min(a.len() - first);
                let (now, rest) = out.split_at_mut(count);
                let (a, b) = (&a[first..][..count], &b[start..][..count]);
                arch.dispatch(|| {
                    for ((out, &a), &b) in now.iter_mut().zip(a).zip(b) {
                        *out = f(a, b);
                    }
                });
                (out, start) = (rest, start + count);
            }
        },
    );
    out
}

/// max(x, 0); what is not a number stays so.
pub(crate) fn relu<T: Real>(x: &[T]) -> Vec<T> {
    map(x, x, |x, _| if x <= T::default() { T::default() } else { x })
}

/// 0 where x ≤ 0, else t; x `[images, …]` is repeated for every direction of t `[directions · images, …]`.
pub(crate) fn gate<T: Real>(x: &[T], t: &[T]) -> Vec<T> {
    map(x, t, |x, t| if x <= T::default() { T::default() } else { t })
}

/// a + b.
pub(crate) fn add<T: Real>(a: &[T], b: &[T]) -> Vec<T> {
    map(a, b, |a, b| a + b)
}

/// Σ over the directions of x `[directions, n]`.
pub(crate) fn over_directions<T: Real>(x: Vec<T>, n: usize) -> Vec<T> {
    if x.len() <= n || n == 0 {
        return x;
    }
    let mut sum = x[..n].to_vec();
    let work = x.len();
    each_chunk(
        &mut sum,
        CHUNK,
        work,
        || (),
        |(), index, sum| {
            for x in x[n..].chunks_exact(n) {
                for (sum, &x) in sum.iter_mut().zip(&x[index * CHUNK..]) {
                    *sum += x;
                }
            }
        },
    );
    sum
}
