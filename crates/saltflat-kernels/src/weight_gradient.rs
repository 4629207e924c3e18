//! The gradient of a convolution with respect to its weight: sums over images and positions.
//!
//! For a kernel entry, M outputs and V vectors of inputs stay in registers while positions pass. Images are taken in chunks
//! whose size does not depend on the number of threads, and each sum has one owner: equal bits for any number.

use pulp::{Simd, WithSimd};

use crate::{Real, blocked::Blocked, flat, tasks::each_chunk, window::Sizes, winograd::Winograd, winograd_weight};

/// Padded positions of the images of a chunk: what a task reads of a block of channels stays in the second-level cache.
const POSITIONS: usize = 4096;

/// Positions that stay in the first-level cache while the kernel's entries pass.
const RESIDENT: usize = 128;

/// ∂/∂W `[outputs, inputs, kernel, kernel]` from x `[images, inputs, height, width]` and the gradient with respect to W ∗ x.
pub(crate) fn weight_gradient<T: Real>(x: &[T], delta: &[T], sizes: &Sizes) -> Vec<T> {
    pulp::Arch::new().dispatch(WeightGradient { x, delta, sizes, of_each: false })
}

/// The gradients of each image by itself, `[images, outputs, inputs, kernel, kernel]`.
pub(crate) fn of_samples<T: Real>(x: &[T], delta: &[T], sizes: &Sizes) -> Vec<T> {
    if flat::applies(sizes) {
        return pulp::Arch::new().dispatch(WeightGradient { x, delta, sizes, of_each: true });
    }
    let one = Sizes { images: 1, ..*sizes };
    let (image, cotangent) = (sizes.image(), sizes.outputs * sizes.positions());
    let size = sizes.outputs * sizes.inputs * sizes.window.area();
    let mut out = vec![T::default(); sizes.images * size];
    let make = |(): &mut (), i: usize, out: &mut [T]| {
        out.copy_from_slice(&weight_gradient(&x[i * image..][..image], &delta[i * cotangent..][..cotangent], &one));
    };
    each_chunk(&mut out, size, sizes.multiplications(), || (), make);
    out
}

struct WeightGradient<'a, T> {
    x: &'a [T],
    delta: &'a [T],
    sizes: &'a Sizes,
    /// The gradient of each image by itself, where they are [`flat`].
    of_each: bool,
}

impl<T: Real> WithSimd for WeightGradient<'_, T> {
    type Output = Vec<T>;

    fn with_simd<S: Simd>(self, simd: S) -> Vec<T> {
        if T::ROUGH && Winograd::applies(self.sizes) {
            match T::lanes::<S>() {
                lanes if lanes >= 16 => return winograd_weight::weight_gradient::<T, S, 8, 2>(simd, self.x, self.delta, self.sizes),
                lanes if lanes >= 4 => return winograd_weight::weight_gradient::<T, S, 4, 2>(simd, self.x, self.delta, self.sizes),
                _ => {}
            }
        }
        if flat::applies(self.sizes) {
            let Self { x, delta, sizes, of_each } = self;
            match (sizes.window.kernel, T::lanes::<S>()) {
                (1, _) => return flat::weight_gradient::<T, S, 8, 1>(simd, x, delta, sizes, of_each),
                (3, 16..) => return flat::weight_gradient::<T, S, 8, 3>(simd, x, delta, sizes, of_each),
                (3, _) => return flat::weight_gradient::<T, S, 4, 3>(simd, x, delta, sizes, of_each),
                (_, 16..) => return flat::weight_gradient::<T, S, 4, 5>(simd, x, delta, sizes, of_each),
                _ => return flat::weight_gradient::<T, S, 2, 5>(simd, x, delta, sizes, of_each),
            }
        }
        match T::lanes::<S>() {
            lanes if self.sizes.inputs <= lanes => self.run::<S, 8, 1>(simd),
            16.. => self.run::<S, 12, 2>(simd),
            4.. => self.run::<S, 6, 2>(simd),
            _ => self.run::<S, 3, 4>(simd),
        }
    }
}

impl<'a, T: Real> WeightGradient<'a, T> {
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
        let work = sizes.multiplications();
        let mut blocked = vec![T::default(); chunk * source.len()];
        // [images, output blocks, positions, M]
        let mut rotated = vec![T::default(); chunk * rows * positions * M];
        for start in (0..sizes.images).step_by(chunk) {
            let images = chunk.min(sizes.images - start);
            let of = |all: &'a [T], size: usize, image: usize| &all[(start + image) * size..][..size];
            let (image, output) = (sizes.image(), sizes.outputs * positions);
            each_chunk(
                &mut blocked[..images * source.len()],
                source.len(),
                work,
                || (),
                |(), i, blocked| {
                    source.fill(of(self.x, image, i), blocked);
                },
            );
            let size = rows * positions * M;
            each_chunk(
                &mut rotated[..images * size],
                size,
                work,
                || (),
                |(), i, rotated| {
                    rotate::<T, M>(of(self.delta, output, i), positions, rotated);
                },
            );
            each_chunk(
                &mut sums,
                tile,
                work,
                || (),
                |(), task, sums| {
                    let (index, row, ky) = (task / kernel / rows, task / kernel % rows, task % kernel);
                    let (blocked, rotated) = (&blocked[..images * source.len()], &rotated[..]);
                    simd.vectorize(Task::<T, M, V> { source, sizes, blocked, rotated, index, row, ky, sums });
                },
            );
        }
        let mut out = vec![T::default(); sizes.outputs * sizes.inputs * window.area()];
        let of_output = sizes.inputs * window.area();
        let work = 4 * out.len();
        each_chunk(
            &mut out,
            M * of_output,
            work,
            || (),
            |(), row, out| {
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
            },
        );
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

/// Rows of the kernel from `ky` on for a block of inputs and M outputs, over some images.
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
        let blocked = T::vectors::<S>(blocked).as_chunks::<V>().0;
        let rotated = rotated.as_chunks::<M>().0;
        let (of_image, of_outputs) = (source.blocks() * source.positions(), sizes.outputs.div_ceil(M) * h * w);
        let images = blocked.len() / of_image;
        let sums = T::vectors_mut::<S>(sums).as_chunks_mut::<V>().0.as_chunks_mut::<M>().0;
        let lines = RESIDENT.div_ceil(w);
        for start in (0..images * h).step_by(lines) {
            let lines = start..(start + lines).min(images * h);
            for (tap, sums) in sums.iter_mut().enumerate() {
                let shift = (ky + tap / kernel) * width + tap % kernel;
                let mut found = *sums;
                let (mut image, mut y) = (lines.start / h, lines.start % h);
                for _ in lines.clone() {
                    let x = &blocked[image * of_image + index * source.positions() + y * stride * width + shift..];
                    let delta = &rotated[image * of_outputs + (row * h + y) * w..][..w];
                    found = match stride {
                        1 => outer(simd, x[..w].iter(), delta, found),
                        _ => outer(simd, x.iter().step_by(stride), delta, found),
                    };
                    (image, y) = if y + 1 == h { (image + 1, 0) } else { (image, y + 1) };
                }
                *sums = found;
            }
        }
    }
}

/// sums[i][j] += Σ_p delta[p][i] x[p][j].
#[inline(always)]
pub(crate) fn outer<'a, S: Simd, T: Real, const M: usize, const V: usize>(
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
