//! Inner products of tensors, and of the rows of matrices.

use std::ops::Range;

use burn::{
    backend::TensorMetadata,
    tensor::{Shape, Tensor},
};

use crate::{
    operation::{from_flex, to_flex},
    reduce::{product, sum},
    simd::Real,
    slices::kernel,
    switch::has_untracked_kernels,
    tasks::{CHUNK, each_chunk},
};

/// Σ a b `[1]`, of equal shapes.
pub fn dot<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> Tensor<1> {
    if has_untracked_kernels(&a) && a.dims() == b.dims() && !b.is_autodiff() {
        let (a, b) = (to_flex(a), to_flex(b));
        return from_flex(kernel!([a, b] -> Shape::new([1]), vec![inner(a, b)]));
    }
    (a * b).sum()
}

/// Σ a b of each row, `[n]`, of a and b `[n, p]`.
pub fn row_products(a: Tensor<2>, b: Tensor<2>) -> Tensor<1> {
    if has_untracked_kernels(&a) && a.dims() == b.dims() && !b.is_autodiff() {
        let (a, b) = (to_flex(a), to_flex(b));
        let rows = a.shape()[0];
        let products = kernel!(
            [a, b] -> Shape::new([rows]),
            of_rows(rows, a.len(), |row| product(&a[row.clone()], &b[row]))
        );
        return from_flex(products);
    }
    (a * b).sum_dim(1).flatten(0, 1)
}

/// Σ x of each row, `[n]`, of x `[n, p]`.
pub fn row_sums(x: Tensor<2>) -> Tensor<1> {
    if has_untracked_kernels(&x) {
        let x = to_flex(x);
        let rows = x.shape()[0];
        return from_flex(kernel!([x] -> Shape::new([rows]), of_rows(rows, x.len(), |row| sum(&x[row]))));
    }
    x.sum_dim(1).flatten(0, 1)
}

/// A number of each row of a matrix of `numbers` numbers, from its range among them.
fn of_rows<T: Real>(rows: usize, numbers: usize, of_row: impl Fn(Range<usize>) -> T + Send + Sync) -> Vec<T> {
    let arch = pulp::Arch::new();
    let n = numbers / rows.max(1);
    let mut out = vec![T::default(); rows];
    // As many rows of a task as fill a chunk.
    let step = (CHUNK / n.max(1)).max(1);
    each_chunk(&mut out, step, numbers, |task, out| {
        arch.dispatch(|| {
            for (i, out) in out.iter_mut().enumerate() {
                let row = task * step + i;
                *out = of_row(row * n..(row + 1) * n);
            }
        });
    });
    out
}

/// Σ a b, of partial sums whose number depends on the length alone.
fn inner<T: Real>(a: &[T], b: &[T]) -> T {
    let arch = pulp::Arch::new();
    let mut sums = vec![T::default(); a.len().div_ceil(CHUNK)];
    each_chunk(&mut sums, 1, a.len(), |index, out| {
        let part = index * CHUNK..((index + 1) * CHUNK).min(a.len());
        out[0] = arch.dispatch(|| product(&a[part.clone()], &b[part.clone()]));
    });
    sum(&sums)
}
