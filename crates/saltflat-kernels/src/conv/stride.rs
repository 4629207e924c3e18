//! 1 × 1 kernels with a stride: convolutions of stride 1 from every stride-th position.

use super::window::{Sizes, Window};
use crate::{
    buffer::Buffer,
    simd::Real,
    tasks::{each_chunk, zeros},
};

/// The convolution of stride 1 that gives the same from what [`subsample`] keeps.
pub(crate) fn as_unit_stride(sizes: &Sizes) -> Option<Sizes> {
    let Window { kernel, stride, padding } = sizes.window;
    let [height, width] = sizes.output();
    (kernel == 1 && stride > 1 && padding == 0).then(|| Sizes { height, width, window: Window::one(1), ..*sizes })
}

/// The positions that are read, `[images, inputs, h, w]`.
pub(crate) fn subsample<T: Real>(x: &[T], sizes: &Sizes) -> Buffer<T> {
    let ([h, w], stride, plane) = (sizes.output(), sizes.window.stride, sizes.height * sizes.width);
    let mut out = Buffer::new(sizes.images * sizes.inputs * h * w);
    let work = 4 * out.len();
    let copy = |i: usize, out: &mut [T]| {
        for (y, out) in out.chunks_exact_mut(w).enumerate() {
            let row = &x[i * plane + y * stride * sizes.width..][..sizes.width];
            for (out, &x) in out.iter_mut().zip(row.iter().step_by(stride)) {
                *out = x;
            }
        }
    };
    each_chunk(&mut out, h * w, work, copy);
    out
}

/// The inverse of [`subsample`], with zeros between.
pub(crate) fn scatter<T: Real>(gradient: &[T], sizes: &Sizes) -> Vec<T> {
    let ([h, w], stride, plane) = (sizes.output(), sizes.window.stride, sizes.height * sizes.width);
    let mut out = zeros(sizes.images * sizes.inputs * plane);
    let work = 4 * gradient.len();
    let copy = |i: usize, out: &mut [T]| {
        for (y, row) in gradient[i * h * w..][..h * w].chunks_exact(w).enumerate() {
            let out = &mut out[y * stride * sizes.width..][..sizes.width];
            for (out, &x) in out.iter_mut().step_by(stride).zip(row) {
                *out = x;
            }
        }
    };
    each_chunk(&mut out, plane, work, copy);
    out
}
