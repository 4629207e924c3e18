//! Directions as channels, and as part of the batch.

use burn::{
    backend::{TensorMetadata, flex::FlexTensor},
    tensor::{Shape, Tensor},
};

use crate::{
    operation::{Operation, apply},
    simd::Real,
    slices::kernel,
    switch::has_kernels,
    tasks::each_chunk,
};

/// What each of K directions gives in channels of its own, `[batch, K · channels, h, w]`, one direction after the other:
/// `[K · batch, channels, h, w]`.
pub fn directions_to_batch(x: Tensor<4>, directions: usize) -> Tensor<4> {
    let [n, c, h, w] = x.dims();
    match has_kernels(&x) {
        _ if directions == 1 => x,
        true => apply(DirectionsToBatch { directions }, [x.into_dispatch()]),
        false => {
            let of_direction = c / directions * h * w;
            x.reshape([n, directions, of_direction]).swap_dims(0, 1).reshape([directions * n, c / directions, h, w])
        }
    }
}

#[derive(Debug)]
struct DirectionsToBatch {
    directions: usize,
}

impl Operation<1> for DirectionsToBatch {
    type Saved = ();

    fn forward(&self, [x]: [FlexTensor; 1]) -> (FlexTensor, ()) {
        let (directions, [n, c, h, w]) = (self.directions, x.shape().dims());
        let shape = Shape::new([directions * n, c / directions, h, w]);
        (kernel!([x] -> shape, exchange(x, n, directions)), ())
    }

    fn backward(&self, (): (), delta: FlexTensor, [wanted]: [bool; 1]) -> [Option<FlexTensor>; 1] {
        let (directions, [n, c, h, w]) = (self.directions, delta.shape().dims());
        let shape = Shape::new([n / directions, directions * c, h, w]);
        [wanted.then(|| kernel!([delta] -> shape, exchange(delta, directions, n / directions)))]
    }
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
