//! Planes of images, channels and directions, and sums over them.

use std::ops::Range;

use burn::{
    backend::{TensorMetadata, flex::FlexTensor},
    tensor::{Shape, Tensor},
};

use crate::{
    reduce::{over_rows, product, sum},
    simd::Real,
    slices::kernel,
    tasks::each_chunk,
};

/// `[images, channels, positions]`; what belongs to directions has `[directions · images, …]`, and factors
/// `[directions · channels]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Channels {
    pub(super) images: usize,
    pub(super) channels: usize,
    pub(super) positions: usize,
}

impl Channels {
    /// The planes of x `[images, channels, h, w]`.
    pub(super) fn new(x: &Shape) -> Self {
        Self { images: x[0], channels: x[1], positions: x[2] * x[3] }
    }

    /// Of a plane of all directions: its start in the images, its channel, and that among those of all directions.
    fn plane(self, plane: usize) -> [usize; 3] {
        let (row, channel) = (plane / self.channels, plane % self.channels);
        let (direction, image) = (row / self.images, row % self.images);
        [(image * self.channels + channel) * self.positions, channel, direction * self.channels + channel]
    }

    /// `numbers` numbers, each plane made by itself.
    pub(super) fn each<T: Real>(
        self,
        numbers: usize,
        make: impl Fn(usize, [usize; 3], &mut [T]) + Send + Sync,
    ) -> Vec<T> {
        let mut out = vec![T::default(); numbers];
        self.update(&mut out, make);
        out
    }

    /// Each plane of `out` by itself.
    pub(super) fn update<T: Real>(self, out: &mut [T], make: impl Fn(usize, [usize; 3], &mut [T]) + Send + Sync) {
        let arch = pulp::Arch::new();
        let (line, work) = (self.channels * self.positions, 2 * out.len());
        each_chunk(out, line, work, |row, out| {
            arch.dispatch(|| {
                for (i, out) in out.chunks_exact_mut(self.positions.max(1)).enumerate() {
                    let plane = row * self.channels + i;
                    make(plane * self.positions, self.plane(plane), out);
                }
            });
        });
    }

    /// `[channels]`, the sums over all images and directions of a number of each plane, of which `of_plane` is given the range in a tensor
    /// of `numbers` numbers.
    pub(super) fn sums<T: Real>(self, numbers: usize, of_plane: impl Fn(Range<usize>) -> T + Send + Sync) -> Vec<T> {
        let (arch, positions) = (pulp::Arch::new(), self.positions);
        let mut each = vec![T::default(); numbers / positions.max(1)];
        each_chunk(&mut each, self.channels, numbers, |row, out| {
            arch.dispatch(|| {
                for (i, out) in out.iter_mut().enumerate() {
                    let start = (row * self.channels + i) * positions;
                    *out = of_plane(start..start + positions);
                }
            });
        });
        over_rows(&each, self.channels)
    }
}

/// Σ x over images and positions, `[channels]`: the gradient of an offset.
pub(crate) fn channel_sums(x: &FlexTensor) -> FlexTensor {
    let sizes = Channels::new(&x.shape());
    kernel!([x] -> Shape::new([sizes.channels]), sizes.sums(x.len(), |plane| sum(&x[plane])))
}

/// Σ a b over images and positions, `[channels]`: the gradient of a factor.
pub(super) fn channel_products(a: &FlexTensor, b: &FlexTensor) -> FlexTensor {
    let sizes = Channels::new(&a.shape());
    kernel!(
        [a, b] -> Shape::new([sizes.channels]),
        sizes.sums(a.len(), |plane| product(&a[plane.clone()], &b[plane]))
    )
}

/// Numbers of channels, `[channels]`, for every image and position: `[1, channels, 1, 1]`.
pub(super) fn of_channels(numbers: Tensor<1>) -> Tensor<4> {
    let [channels] = numbers.dims();
    numbers.reshape([1, channels, 1, 1])
}

/// Repeats what belongs to directions, `[directions · channels]`, for every one of n samples: `[rows, channels, 1, 1]`.
pub(super) fn of_directions(numbers: Tensor<1>, rows: usize, n: usize, channels: usize) -> Tensor<4> {
    let directions = rows / n.max(1);
    numbers.reshape([directions, 1, channels]).expand([directions, n, channels]).reshape([rows, channels, 1, 1])
}
