//! The gradient of a convolution with respect to its weight: sums over positions, and over the images of a task; tasks are the same
//! for any number of threads.

use pulp::{Simd, WithSimd};

use super::{Planes, planes};
use crate::{
    Real,
    pointwise::{over_rows, sum},
    tasks::each_chunk,
    window::{Sizes, Sliding},
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
    of_each: bool,
) -> Vec<T> {
    let sizes = Sliding::new(sizes, false);
    let [image, cotangent] = sizes.image();
    let [from, to] = planes(&sizes, T::lanes::<S>());
    let n = sizes.outputs * sizes.inputs * K * K;
    let together = if of_each { 1 } else { sizes.images.div_ceil(TASKS).max(1) };
    let mut out = vec![T::default(); sizes.images.div_ceil(together) * n];
    let work = sizes.images * n * sizes.h * sizes.w;
    let rows = sizes.outputs.div_ceil(M);
    // [output blocks, inputs, kernel rows, M, K, lanes]
    let accumulators = rows * sizes.inputs * K * M * K * T::lanes::<S>();
    let scratch =
        || [sizes.inputs * from.len, rows * M * to.len, accumulators].map(|numbers| vec![T::default(); numbers]);
    each_chunk(&mut out, n, work, scratch, |[a, b, sums], task, out| {
        sums.fill(T::default());
        for i in (task * together..sizes.images).take(together) {
            from.fill(&x[i * image..][..image], a);
            to.fill(&delta[i * cotangent..][..cotangent], b);
            simd.vectorize(Gradient::<T, M, K> { inputs: sizes.inputs, planes: [from, to], x: a, delta: b, sums });
        }
        let sums = sums.chunks_exact(T::lanes::<S>()).map(|lanes| sum(lanes));
        for (index, sum) in sums.enumerate() {
            let (kx, m, rest) = (index % K, index / K % M, index / K / M);
            let (ky, c, o) = (rest % K, rest / K % sizes.inputs, rest / K / sizes.inputs * M + m);
            if o < sizes.outputs {
                out[((o * sizes.inputs + c) * K + ky) * K + kx] = sum;
            }
        }
    });
    if of_each || out.len() == n { out } else { over_rows(&out, n) }
}

/// One image.
struct Gradient<'a, T, const M: usize, const K: usize> {
    inputs: usize,
    planes: [Planes; 2],
    x: &'a [T],
    delta: &'a [T],
    sums: &'a mut [T],
}

impl<T: Real, const M: usize, const K: usize> WithSimd for Gradient<'_, T, M, K> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { inputs, planes: [from, to], x, delta, sums } = self;
        let sums = T::vectors_mut::<S>(sums).as_chunks_mut::<K>().0.as_chunks_mut::<M>().0;
        for start in (0..to.len).step_by(RESIDENT) {
            let len = RESIDENT.min(to.len - start);
            for (delta, sums) in delta.chunks_exact(M * to.len).zip(sums.chunks_exact_mut(inputs * K)) {
                for (index, sums) in sums.iter_mut().enumerate() {
                    let first = index / K * from.len + index % K * from.pitch + start;
                    let mut shifted = [T::vectors::<S>(&[]); K];
                    for (kx, shifted) in shifted.iter_mut().enumerate() {
                        *shifted = T::vectors::<S>(&x[first + kx..][..len]);
                    }
                    let mut rows = [T::vectors::<S>(&[]); M];
                    for (m, row) in rows.iter_mut().enumerate() {
                        *row = T::vectors::<S>(&delta[m * to.len + start..][..len]);
                    }
                    *sums = products::<S, T, M, K>(simd, shifted, rows, *sums);
                }
            }
        }
    }
}

/// sums[i][j] += delta[i] x[j], vector by vector.
#[inline(always)]
fn products<S: Simd, T: Real, const M: usize, const K: usize>(
    simd: S,
    x: [&[T::Vector<S>]; K],
    delta: [&[T::Vector<S>]; M],
    mut sums: [[T::Vector<S>; K]; M],
) -> [[T::Vector<S>; K]; M] {
    let len = x[0].len();
    let (x, delta) = (x.map(|x| &x[..len]), delta.map(|delta| &delta[..len]));
    for at in 0..len {
        for (delta, sums) in delta.iter().zip(&mut sums) {
            for (x, sum) in x.iter().zip(sums) {
                *sum = T::multiply_add(simd, delta[at], x[at], *sum);
            }
        }
    }
    sums
}
