//! Directions as channels, and as part of the batch.

use burn::{
    backend::{TensorMetadata, flex::FlexTensor},
    tensor::{Shape, Tensor},
};

use crate::{operation::apply, simd::Real, slices::kernel, switch::has_kernels, tasks::each_chunk};

/// Moves K directions from the channels to the batch: x `[batch, K · channels, h, w]`, with the channels of one direction after those of the
/// other, becomes `[K · batch, channels, h, w]`.
pub fn directions_to_batch(x: Tensor<4>, directions: usize) -> Tensor<4> {
    let [n, c, h, w] = x.dims();
    if directions == 1 {
        return x;
    }
    if !has_kernels(&x) {
        let of_direction = c / directions * h * w;
        return x.reshape([n, directions, of_direction]).swap_dims(0, 1).reshape([
            directions * n,
            c / directions,
            h,
            w,
        ]);
    }
    apply([x.into_dispatch()], [], move |[x], []| {
        let (shape, x_shape) = (Shape::new([directions * n, c / directions, h, w]), x.shape());
        let y = kernel!([x] -> shape, exchange(x, n, directions));
        let backward = move |delta: FlexTensor, [wanted]: [bool; 1]| {
            [wanted.then(|| kernel!([delta] -> x_shape, exchange(delta, directions, n)))]
        };
        (y, backward)
    })
}

/// x `[rows, columns, n]` as `[columns, rows, n]`.
fn exchange<T: Real>(x: &[T], rows: usize, columns: usize) -> Vec<T> {
    let mut out = vec![T::default(); x.len()];
    let n = x.len() / (rows * columns).max(1);
    each_chunk(&mut out, n, x.len(), |index, out| {
        let (column, row) = (index / rows, index % rows);
        out.copy_from_slice(&x[(row * columns + column) * n..][..n]);
    });
    out
}
