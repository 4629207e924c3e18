//! The gradient of a convolution with respect to its weight: sums over positions, and over the images of a task; tasks are the same
//! for any number of threads.

use pulp::{Simd, WithSimd};

use super::layout::{Planes, planes};
use crate::{
    conv::window::{Sizes, Sliding},
    reduce::over_rows,
    simd::Real,
    tasks::each_chunk_with,
    tile::lanewise_products,
};

/// Tasks of a gradient with respect to the weight, at most.
const TASKS: usize = 16;

/// Positions that stay in the first-level cache while inputs and rows of the kernel pass.
const RESIDENT: usize = 512;

/// ∂/∂W from x and the cotangent of W ∗ x, of all images or of each by itself.
pub(crate) fn weight_gradient<T: Real, S: Simd, const M: usize, const K: usize>(
    simd: S,
    x: &[T],
    delta: &[T],
    sizes: &Sizes,
    per_image: bool,
) -> Vec<T> {
    let sizes = Sliding::new(sizes, false);
    let [image, cotangent] = sizes.image();
    let [from, to] = planes(&sizes, T::lanes::<S>());
    let n = sizes.outputs * sizes.inputs * K * K;
    let resident = if per_image { 1 } else { (RESIDENT / to.len.max(1)).max(1) };
    let images_per_task = if per_image { 1 } else { sizes.images.div_ceil(TASKS).max(resident) };
    let mut out = vec![T::default(); sizes.images.div_ceil(images_per_task) * n];
    let work = sizes.images * n * sizes.h * sizes.w;
    let rows = sizes.outputs.div_ceil(M);
    let of_image = [sizes.inputs * from.len, rows * M * to.len];
    // [output blocks, inputs, kernel rows, M, K, lanes]
    let accumulators = rows * sizes.inputs * K * M * K * T::lanes::<S>();
    let scratch =
        || [resident * of_image[0], resident * of_image[1], accumulators].map(|numbers| vec![T::default(); numbers]);
    each_chunk_with(&mut out, n, work, scratch, |[a, b, sums], task, out| {
        sums.fill(T::default());
        let last = ((task + 1) * images_per_task).min(sizes.images);
        for first in (task * images_per_task..last).step_by(resident) {
            let images = first..(first + resident).min(last);
            for ((i, a), b) in images.clone().zip(a.chunks_mut(of_image[0])).zip(b.chunks_mut(of_image[1])) {
                from.fill(&x[i * image..][..image], a);
                to.fill(&delta[i * cotangent..][..cotangent], b);
            }
            let (planes, images) = ([from, to], images.len());
            simd.vectorize(Gradient::<T, M, K> {
                images,
                inputs: sizes.inputs,
                planes,
                of_image,
                x: a,
                delta: b,
                sums,
            });
        }
        simd.vectorize(Totals::<T, M, K> { sizes: &sizes, sums, out });
    });
    if per_image || out.len() == n { out } else { over_rows(&out, n) }
}

/// Some images.
struct Gradient<'a, T, const M: usize, const K: usize> {
    images: usize,
    inputs: usize,
    planes: [Planes; 2],
    of_image: [usize; 2],
    x: &'a [T],
    delta: &'a [T],
    sums: &'a mut [T],
}

impl<T: Real, const M: usize, const K: usize> WithSimd for Gradient<'_, T, M, K> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { images, inputs, planes: [from, to], of_image, x, delta, sums } = self;
        let sums = T::vectors_mut::<S>(sums).as_chunks_mut::<K>().0.as_chunks_mut::<M>().0;
        for start in (0..to.len).step_by(RESIDENT) {
            let len = RESIDENT.min(to.len - start);
            for (block, sums) in sums.chunks_exact_mut(inputs * K).enumerate() {
                for (index, sums) in sums.iter_mut().enumerate() {
                    let mut found = *sums;
                    for image in 0..images {
                        let x = &x[image * of_image[0] + index / K * from.len + index % K * from.pitch + start..];
                        let delta = &delta[image * of_image[1] + block * M * to.len + start..];
                        let mut shifted = [T::vectors::<S>(&[]); K];
                        for (kx, shifted) in shifted.iter_mut().enumerate() {
                            *shifted = T::vectors::<S>(&x[kx..][..len]);
                        }
                        let mut rows = [T::vectors::<S>(&[]); M];
                        for (m, row) in rows.iter_mut().enumerate() {
                            *row = T::vectors::<S>(&delta[m * to.len..][..len]);
                        }
                        found = lanewise_products::<S, T, M, K>(simd, shifted, rows, found);
                    }
                    *sums = found;
                }
            }
        }
    }
}

/// The sums over the lanes, in the order of the weight.
struct Totals<'a, T, const M: usize, const K: usize> {
    sizes: &'a Sliding,
    sums: &'a [T],
    out: &'a mut [T],
}

impl<T: Real, const M: usize, const K: usize> WithSimd for Totals<'_, T, M, K> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { sizes: Sliding { inputs, outputs, .. }, sums, out } = self;
        let sums = T::vectors::<S>(sums).as_chunks::<K>().0.as_chunks::<M>().0;
        for (index, sums) in sums.iter().enumerate() {
            let (ky, c, first) = (index % K, index / K % inputs, index / K / inputs * M);
            for (o, sums) in (first..*outputs).zip(sums) {
                for (out, &sum) in out[((o * inputs + c) * K + ky) * K..].iter_mut().zip(sums) {
                    *out = T::total(simd, sum);
                }
            }
        }
    }
}
