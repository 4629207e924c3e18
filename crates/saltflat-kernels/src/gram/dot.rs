//! The inner product of two tensors.

use burn::tensor::{Shape, Tensor};

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
