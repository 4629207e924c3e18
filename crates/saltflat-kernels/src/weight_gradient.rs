//! The gradient of a convolution with respect to its weight: sums over images and positions.
//!
//! For a kernel entry, M outputs and V vectors of inputs stay in registers while positions pass. Images are taken in chunks
//! whose size does not depend on the number of threads, and each sum has one owner: equal bits for any number.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::{Real, blocked::Blocked, window::Sizes};

/// Padded positions of the images of a chunk: what a task reads of a block of channels stays in the second-level cache.
const POSITIONS: usize = 4096;

/// ∂/∂W `[outputs, inputs, kernel, kernel]` from x `[images, inputs, height, width]` and the gradient with respect to W ∗ x.
pub(crate) fn weight_gradient<T: Real>(x: &[T], delta: &[T], sizes: &Sizes) -> Vec<T> {
    pulp::Arch::new().dispatch(WeightGradient { x, delta, sizes })
}

struct WeightGradient<'a, T> {
    x: &'a [T],
    delta: &'a [T],
    sizes: &'a Sizes,
}

impl<T: Real> WithSimd for WeightGradient<'_, T> {
    type Output = Vec<T>;

    fn with_simd<S: Simd>(self, simd: S) -> Vec<T> {
        match T::lanes::<S>() {
            lanes if self.sizes.inputs <= lanes => self.run::<S, 8, 1>(simd),
            lanes if lanes >= 4 => self.run::<S, 6, 2>(simd),
            _ => self.run::<S, 3, 4>(simd),
        }
    }
}

impl<T: Real> WeightGradient<'_, T> {
    fn run<S: Simd, const M: usize, const V: usize>(self, simd: S) -> Vec<T> {
        let sizes = self.sizes;
        let (window, kernel, block) = (sizes.window, sizes.window.kernel, V * T::lanes::<S>());
        let side = |side: usize| side + 2 * window.padding;
        let source = Blocked {
            channels: sizes.inputs,
            height: sizes.height,
            width: sizes.width,
            before: window.padding,
            padded: [side(sizes.height), side(sizes.width)],
            block,
        };
        let (rows, tile) = (sizes.outputs.div_ceil(M), kernel * M * block);
        // [input blocks, output blocks, kernel rows, kernel columns, M, block]
        let mut sums = vec![T::default(); source.blocks() * rows * kernel * tile];
        let positions = sizes.positions();
        let chunk = (POSITIONS / source.positions()).clamp(1, sizes.images.max(1));
        let mut blocked = vec![T::default(); chunk * source.len()];
        // [images, output blocks, positions, M]
        let mut rotated = vec![T::default(); chunk * rows * positions * M];
        for start in (0..sizes.images).step_by(chunk) {
            let images = chunk.min(sizes.images - start);
            let of_image = |image: usize| {
                let (x, delta) = (sizes.image(), sizes.outputs * positions);
                (&self.x[(start + image) * x..][..x], &self.delta[(start + image) * delta..][..delta])
            };
            blocked
                .par_chunks_exact_mut(source.len())
                .zip(rotated.par_chunks_exact_mut(rows * positions * M))
                .take(images)
                .enumerate()
                .for_each(|(image, (blocked, rotated))| {
                    let (x, delta) = of_image(image);
                    source.fill(x, blocked);
                    rotate::<T, M>(delta, positions, rotated);
                });
            sums.par_chunks_exact_mut(tile).enumerate().for_each(|(task, sums)| {
                let (index, row, ky) = (task / kernel / rows, task / kernel % rows, task % kernel);
                let (blocked, rotated) = (&blocked[..images * source.len()], &rotated[..]);
                simd.vectorize(Task::<T, M, V> { source, sizes, blocked, rotated, index, row, ky, sums });
            });
        }
        let mut out = vec![T::default(); sizes.outputs * sizes.inputs * window.area()];
        let of_output = sizes.inputs * window.area();
        out.par_chunks_mut((M * of_output).max(1)).enumerate().for_each(|(row, out)| {
            for index in 0..source.blocks() {
                let tiles = &sums[(index * rows + row) * kernel * tile..][..kernel * tile];
                for (entry, tile) in tiles.chunks_exact(M * block).enumerate() {
                    for (out, sums) in out.chunks_exact_mut(of_output).zip(tile.chunks_exact(block)) {
                        let out = out[index * block * window.area() + entry..].iter_mut().step_by(window.area());
                        for (out, &sum) in out.zip(sums) {
                            *out = sum;
                        }
                    }
                }
            }
        });
        out
    }
}

/// One image's `[outputs, positions]` as `[output blocks, positions, M]`.
fn rotate<T: Real, const M: usize>(delta: &[T], positions: usize, out: &mut [T]) {
    for (out, delta) in out.chunks_exact_mut(positions * M).zip(delta.chunks(positions * M)) {
        for (i, row) in delta.chunks_exact(positions).enumerate() {
            for (out, &x) in out.as_chunks_mut::<M>().0.iter_mut().zip(row) {
                out[i] = x;
            }
        }
    }
}

/// One row of the kernel for a block of inputs and M outputs, over some images.
struct Task<'a, T, const M: usize, const V: usize> {
    source: Blocked,
    sizes: &'a Sizes,
    blocked: &'a [T],
    rotated: &'a [T],
    index: usize,
    row: usize,
    ky: usize,
    sums: &'a mut [T],
}

impl<T: Real, const M: usize, const V: usize> WithSimd for Task<'_, T, M, V> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { source, sizes, blocked, rotated, index, row, ky, sums } = self;
        let ([h, w], stride, kernel) = (sizes.output(), sizes.window.stride, sizes.window.kernel);
        let width = source.padded[1];
        let rotated = rotated.as_chunks::<M>().0;
        let of_image = sizes.outputs.div_ceil(M) * h * w;
        let sums = T::vectors_mut::<S>(sums).as_chunks_mut::<V>().0.as_chunks_mut::<M>().0;
        for (kx, sums) in (0..kernel).zip(sums) {
            let mut found = *sums;
            for (image, blocked) in blocked.chunks_exact(source.len()).enumerate() {
                let blocked =
                    &blocked[index * source.positions() * source.block..][..source.positions() * source.block];
                let blocked = T::vectors::<S>(blocked).as_chunks::<V>().0;
                let rotated = &rotated[image * of_image + row * h * w..][..h * w];
                for (y, delta) in rotated.chunks_exact(w).enumerate() {
                    let x = &blocked[(y * stride + ky) * width + kx..];
                    match stride {
                        1 => found = outer(simd, x.iter(), delta, found),
                        _ => found = outer(simd, x.iter().step_by(stride), delta, found),
                    }
                }
            }
            *sums = found;
        }
    }
}

/// sums[i][j] += Σ_p delta[p][i] x[p][j].
#[inline(always)]
fn outer<'a, S: Simd, T: Real, const M: usize, const V: usize>(
    simd: S,
    x: impl Iterator<Item = &'a [T::Vector<S>; V]>,
    delta: &[[T; M]],
    mut sums: [[T::Vector<S>; V]; M],
) -> [[T::Vector<S>; V]; M]
where
    T::Vector<S>: 'a,
{
    for (delta, x) in delta.iter().zip(x) {
        for (&delta, sums) in delta.iter().zip(&mut sums) {
            let delta = T::splat(simd, delta);
            for (sum, &x) in sums.iter_mut().zip(x) {
                *sum = T::multiply_add(simd, delta, x, *sum);
            }
        }
    }
    sums
}
