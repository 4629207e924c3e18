//! Operations on every number by itself, and sums, each on all cores.

use std::ops::Range;

use rayon::prelude::*;

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
            sums[i] += sums[i + width];
        }
    }
    let mut total = sums[0];
    for (&a, &b) in a_rest.iter().zip(b_rest) {
        total += f(a, b);
    }
    total
}

/// y_i = f(y_i, a_i), where `a` may be the shorter one and is repeated.
fn update<T: Real>(y: &mut [T], a: &[T], f: impl Fn(T, T) -> T + Send + Sync) {
    let arch = pulp::Arch::new();
    let work = y.len();
    let make = |(): &mut (), index: usize, y: &mut [T]| {
        let (mut y, mut first) = (y, index * CHUNK % a.len());
        // Up to the end of what is repeated at a time.
        while !y.is_empty() {
            let (now, rest) = y.split_at_mut(y.len().min(a.len() - first));
            let a = &a[first..][..now.len()];
            arch.dispatch(|| {
                for (y, &a) in now.iter_mut().zip(a) {
                    *y = f(*y, a);
                }
            });
            (y, first) = (rest, 0);
        }
    };
    each_chunk(y, CHUNK, work, || (), make);
}

/// max(x, 0), in place; what is not a number stays so.
pub(crate) fn relu<T: Real>(x: &mut [T]) {
    let arch = pulp::Arch::new();
    let work = x.len();
    let make = |(): &mut (), _: usize, x: &mut [T]| {
        arch.dispatch(|| {
            for x in x {
                *x = if *x <= T::default() { T::default() } else { *x };
            }
        });
    };
    each_chunk(x, CHUNK, work, || (), make);
}

/// t ← 0 where y ≤ 0; y `[images, …]` is repeated for every direction of t `[directions · images, …]`.
pub(crate) fn gate<T: Real>(t: &mut [T], y: &[T]) {
    update(t, y, |t, y| if y <= T::default() { T::default() } else { t });
}

/// a ← a + factor · b, where `b` may be the shorter one and is repeated.
pub(crate) fn add_scaled<T: Real>(a: &mut [T], factor: f64, b: &[T]) {
    let factor = T::of(factor);
    update(a, b, |a, b| a + factor * b);
}

/// u ← β u + g, then θ ← θ − η u, all of equal lengths: one pass over memory.
pub(crate) fn descend<T: Real>(theta: &mut [T], velocity: &mut [T], gradient: &[T], momentum: f64, lr: f64) {
    let (arch, momentum, lr) = (pulp::Arch::new(), T::of(momentum), T::of(lr));
    let chunk = |((theta, velocity), gradient): ((&mut [T], &mut [T]), &[T])| {
        arch.dispatch(|| {
            for ((theta, u), &g) in theta.iter_mut().zip(velocity).zip(gradient) {
                *u = g + momentum * *u;
                *theta = *theta - lr * *u;
            }
        });
    };
    match theta.len() <= CHUNK {
        true => chunk(((theta, velocity), gradient)),
        false => {
            let chunks = theta.par_chunks_mut(CHUNK).zip(velocity.par_chunks_mut(CHUNK));
            chunks.zip(gradient.par_chunks(CHUNK)).for_each(chunk);
        }
    }
}

/// a + factor · b, of equal lengths.
pub(crate) fn sum_scaled<T: Real>(a: &[T], factor: f64, b: &[T]) -> Vec<T> {
    let factor = T::of(factor);
    match a.len() < CHUNK {
        true => a.iter().zip(b).map(|(&a, &b)| a + factor * b).collect(),
        // Collected, so that the new numbers are not set to zero first.
        false => a.par_iter().zip(b).with_min_len(CHUNK).map(|(&a, &b)| a + factor * b).collect(),
    }
}

/// Σ a b, of partial sums whose number depends on the length alone.
pub(crate) fn inner<T: Real>(a: &[T], b: &[T]) -> T {
    let arch = pulp::Arch::new();
    let mut sums = vec![T::default(); a.len().div_ceil(CHUNK)];
    each_chunk(
        &mut sums,
        1,
        a.len(),
        || (),
        |(), index, out| {
            let part = index * CHUNK..((index + 1) * CHUNK).min(a.len());
            out[0] = arch.dispatch(|| product(&a[part.clone()], &b[part.clone()]));
        },
    );
    sum(&sums)
}

/// Σ a b of each row.
pub(crate) fn row_products<T: Real>(a: &[T], b: &[T], rows: usize) -> Vec<T> {
    of_rows(rows, a.len(), |row| product(&a[row.clone()], &b[row]))
}

/// Σ x of each row.
pub(crate) fn row_sums<T: Real>(x: &[T], rows: usize) -> Vec<T> {
    of_rows(rows, x.len(), |row| sum(&x[row]))
}

/// A number of each row of `[rows, n]`, from where it lies.
fn of_rows<T: Real>(rows: usize, numbers: usize, of_row: impl Fn(Range<usize>) -> T + Send + Sync) -> Vec<T> {
    let arch = pulp::Arch::new();
    let n = numbers / rows.max(1);
    let mut out = vec![T::default(); rows];
    // As many rows of a task as fill a chunk.
    let step = (CHUNK / n.max(1)).max(1);
    let make = |(): &mut (), task: usize, out: &mut [T]| {
        arch.dispatch(|| {
            for (i, out) in out.iter_mut().enumerate() {
                let row = task * step + i;
                *out = of_row(row * n..(row + 1) * n);
            }
        });
    };
    each_chunk(&mut out, step, numbers, || (), make);
    out
}

/// Σ over the rows of x `[rows, n]`.
pub(crate) fn over_rows<T: Real>(x: &[T], n: usize) -> Vec<T> {
    let mut sum = vec![T::default(); n];
    let add = |(): &mut (), index: usize, sum: &mut [T]| {
        for x in x.chunks_exact(n) {
            for (sum, &x) in sum.iter_mut().zip(&x[index * CHUNK..]) {
                *sum += x;
            }
        }
    };
    each_chunk(&mut sum, CHUNK, x.len(), || (), add);
    sum
}

/// Σ over the directions of x `[directions, n]`.
pub(crate) fn over_directions<T: Real>(x: Vec<T>, n: usize) -> Vec<T> {
    if x.len() <= n { x } else { over_rows(&x, n) }
}

/// x `[rows, columns, n]` as `[columns, rows, n]`.
pub(crate) fn exchange<T: Real>(x: &[T], rows: usize, columns: usize) -> Vec<T> {
    let mut out = vec![T::default(); x.len()];
    let (n, work) = (x.len() / (rows * columns).max(1), x.len());
    let copy = |(): &mut (), index: usize, out: &mut [T]| {
        let (column, row) = (index / rows, index % rows);
        out.copy_from_slice(&x[(row * columns + column) * n..][..n]);
    };
    each_chunk(&mut out, n, work, || (), copy);
    out
}
