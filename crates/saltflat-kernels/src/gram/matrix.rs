//! Inner products of the rows of a matrix, which are few and long.

use burn::{
    backend::TensorMetadata,
    tensor::{Shape, Tensor},
};
use pulp::{Simd, WithSimd};

use crate::{
    buffer::Buffer,
    operation::{from_flex, to_flex},
    reduce::over_rows,
    simd::Real,
    slices::kernel,
    switch::has_untracked_kernels,
    tasks::each_chunk,
    tile::lanewise_products,
};

/// Numbers of a task, of all rows, which should stay in the second-level cache.
const TASK: usize = 1 << 18;

/// Columns of a task, at least and at most.
const COLUMNS: [usize; 2] = [256, 1 << 13];

/// x xᵀ `[n, n]` of x `[n, p]`, the inner products of its rows.
pub fn gram(x: Tensor<2>) -> Tensor<2> {
    if has_untracked_kernels(&x) {
        let x = to_flex(x);
        let rows = x.shape()[0];
        return from_flex(kernel!([x] -> Shape::new([rows, rows]), products(x, rows)));
    }
    x.clone().matmul(x.transpose())
}

/// x xᵀ `[rows, rows]` of x `[rows, columns]`, each pair once.
fn products<T: Real>(x: &[T], rows: usize) -> Vec<T> {
    let columns = x.len() / rows.max(1);
    let step = (TASK / rows.max(1)).clamp(COLUMNS[0], COLUMNS[1]).next_multiple_of(64);
    let mut parts = Buffer::new(columns.div_ceil(step).max(1) * rows * rows);
    parts.fill(T::default());
    let arch = pulp::Arch::new();
    let make = |task: usize, out: &mut [T]| {
        let (first, end) = (task * step, columns.min((task + 1) * step));
        arch.dispatch(Task { x, rows, columns, range: [first, end], out });
    };
    each_chunk(&mut parts, rows * rows, x.len() * rows / 2, make);
    let mut out = over_rows(&parts, rows * rows);
    for i in 0..rows {
        for j in 0..i {
            out[i * rows + j] = out[j * rows + i];
        }
    }
    out
}

/// Some columns.
struct Task<'a, T> {
    x: &'a [T],
    rows: usize,
    columns: usize,
    range: [usize; 2],
    out: &'a mut [T],
}

impl<T: Real> WithSimd for Task<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match T::lanes::<S>() {
            16.. => self.tiles::<S, 8, 3>(simd),
            _ => self.tiles::<S, 4, 3>(simd),
        }
    }
}

impl<T: Real> Task<'_, T> {
    /// Products of M rows with K.
    #[inline(always)]
    fn tiles<S: Simd, const M: usize, const K: usize>(self, simd: S) {
        let Self { x, rows, columns, range: [first, end], out } = self;
        let row = |i: usize| &x[i.min(rows - 1) * columns..][first..end];
        let whole = (end - first) / T::lanes::<S>() * T::lanes::<S>();
        for i in (0..rows).step_by(M) {
            let left: [&[T]; M] = std::array::from_fn(|m| row(i + m));
            // From the first tile on that has a pair of rows in order.
            for j in (i / K * K..rows).step_by(K) {
                let right: [&[T]; K] = std::array::from_fn(|k| row(j + k));
                let zeros = [[T::splat(simd, T::default()); K]; M];
                let sums =
                    lanewise_products::<S, T, M, K>(simd, right.map(T::vectors::<S>), left.map(T::vectors::<S>), zeros);
                for (m, (left, sums)) in left.iter().zip(sums).enumerate().take(rows - i) {
                    for (k, (right, sum)) in right.iter().zip(sums).enumerate().take(rows - j) {
                        let mut total = T::total(simd, sum);
                        for (&a, &b) in left[whole..].iter().zip(&right[whole..]) {
                            total += a * b;
                        }
                        out[(i + m) * rows + j + k] = total;
                    }
                }
            }
        }
    }
}
