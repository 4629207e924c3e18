//! What the per-sample gradients of all convolutions share.

use burn::tensor::Tensor;
use saltflat_kernels::row_sums;

/// Entries that a chunk of explicit rows, of an unfolded input or of position products may hold (32 MiB in f32).
pub(super) const CHUNK: usize = 1 << 23;

/// Σ over the last dimension, `[rows, channels]`.
pub(super) fn over_positions(x: Tensor<3>) -> Tensor<2> {
    let [rows, channels, _] = x.dims();
    row_sums(x.flatten(0, 1)).reshape([rows, channels])
}

/// One after the other along a dimension; a single one as it is.
pub(super) fn joined(mut parts: Vec<Tensor<3>>, dim: usize) -> Tensor<3> {
    if parts.len() == 1 { parts.remove(0) } else { Tensor::cat(parts, dim) }
}
