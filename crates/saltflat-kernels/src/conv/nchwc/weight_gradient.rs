//! The gradient of a convolution with respect to its weight: sums over images and positions.
//!
//! For a kernel entry, M outputs and V vectors of inputs stay in registers while positions pass. Images are taken in chunks
//! whose size does not depend on the number of threads, and each sum has one owner: equal bits for any number. Of small images
//! those at one position lie one after the other, of others the positions of a row.

use pulp::{Simd, WithSimd};

use super::layout::Nchwc;
use crate::{
    buffer::Buffer,
    conv::window::Sizes,
    simd::Real,
    tasks::{each_chunk, each_chunk_with},
    tile::outer_products,
};

/// Padded positions of the images of a chunk: what a task reads of a block of channels stays in the second-level cache.
const POSITIONS: usize = 4096;

/// Positions that stay in the first-level cache while the kernel's entries pass.
const RESIDENT: usize = 128;

/// Sums beyond which they are made and written row by row of outputs, so that they stay in the second-level cache.
const LARGE: usize = 1 << 19;

/// Positions up to which an image is small.
const FEW: usize = 16;

/// ∂/∂W `[outputs, inputs, kernel, kernel]` into zeros.
pub(crate) fn weight_gradient<'a, T: Real, S: Simd, const M: usize, const V: usize>(
    simd: S,
    x: &'a [T],
    delta: &'a [T],
    sizes: &Sizes,
    out: &mut [T],
) {
    let (window, kernel, block) = (sizes.window, sizes.window.kernel, V * T::lanes::<S>());
    if sizes.images == 0 {
        return;
    }
    let source = Nchwc::of_input(sizes, block);
    let (rows, tile) = (sizes.outputs.div_ceil(M), kernel * M * block);
    let positions = sizes.positions();
    let chunk = (POSITIONS / source.positions()).clamp(1, sizes.images);
    // [input blocks, kernel rows, kernel columns, M, block]
    let of_row = source.blocks() * kernel * tile;
    let by_rows = chunk == sizes.images && rows * of_row > LARGE;
    // Of each output block.
    let mut sums = Buffer::new(if by_rows { 0 } else { rows * of_row });
    let interleaved = positions <= FEW;
    let (work, of_output) = (sizes.multiplications(), sizes.inputs * window.area());
    // [input blocks, padded positions, block] of each image, or with its images before the block.
    let mut blocked = Buffer::new(chunk * source.len());
    // [output blocks, positions, M], likewise.
    let mut rotated = Buffer::new(chunk * rows * positions * M);
    for start in (0..sizes.images).step_by(chunk) {
        let images = chunk.min(sizes.images - start);
        let (image, output) = (sizes.image(), sizes.outputs * positions);
        let x = &x[start * image..][..images * image];
        let delta = &delta[start * output..][..images * output];
        let (of_x, of_delta) = (source.len(), rows * positions * M);
        let (blocked, rotated) = (&mut blocked[..images * of_x], &mut rotated[..images * of_delta]);
        match interleaved {
            true => {
                let all = |index: usize, out: &mut [T]| source.fill_interleaved(x, index, out);
                each_chunk(blocked, of_x / source.blocks() * images, work, all);
                let all = |row: usize, out: &mut [T]| {
                    for (i, delta) in delta.chunks_exact(output).enumerate() {
                        rotate::<T, M>(&delta[row * M * positions..], positions, [i, images], out);
                    }
                };
                each_chunk(rotated, positions * M * images, work, all);
            }
            false => {
                let one = |i: usize, out: &mut [T]| source.fill(&x[i * image..][..image], out);
                each_chunk(blocked, of_x, work, one);
                let one = |i: usize, out: &mut [T]| {
                    for (row, out) in out.chunks_exact_mut(positions * M).enumerate() {
                        rotate::<T, M>(&delta[i * output..][..output][row * M * positions..], positions, [0, 1], out);
                    }
                };
                each_chunk(rotated, of_delta, work, one);
            }
        }
        let (blocked, rotated) = (&*blocked, &*rotated);
        let add = |row: usize, tile: usize, sums: &mut [T]| {
            if start == 0 {
                sums.fill(T::default());
            }
            let (index, ky) = (tile / kernel, tile % kernel);
            let task = Task::<T, M, V> { source, sizes, blocked, rotated, images, index, row, ky, sums };
            match interleaved {
                true => simd.vectorize(Interleaved(task)),
                false => simd.vectorize(task),
            }
        };
        if by_rows {
            let make = |sums: &mut Buffer<T>, row: usize, out: &mut [T]| {
                sums.chunks_exact_mut(tile).enumerate().for_each(|(i, sums)| add(row, i, sums));
                write::<T, M>(sizes, block, sums, out);
            };
            each_chunk_with(out, M * of_output, work, || Buffer::new(of_row), make);
            return;
        }
        let tiles = of_row / tile;
        let make = |i: usize, sums: &mut [T]| add(i / tiles, i % tiles, sums);
        each_chunk(&mut sums, tile, work, make);
    }
    let work = 4 * out.len();
    let make = |row: usize, out: &mut [T]| write::<T, M>(sizes, block, &sums[row * of_row..][..of_row], out);
    each_chunk(out, M * of_output, work, make);
}

/// The sums of M outputs, `[input blocks, kernel rows, kernel columns, M, block]`, in the order of the weight.
fn write<T: Real, const M: usize>(sizes: &Sizes, block: usize, sums: &[T], out: &mut [T]) {
    let (kernel, area) = (sizes.window.kernel, sizes.window.area());
    for (o, out) in out.chunks_exact_mut(sizes.inputs * area).enumerate() {
        for (tiles, out) in sums.chunks_exact(area * M * block).zip(out.chunks_mut(block * area)) {
            let (tiles, step) = (&tiles[o * block..], M * block);
            match kernel {
                1 => entries::<T, 1>(tiles, step, block, out),
                3 => entries::<T, 9>(tiles, step, block, out),
                _ => {
                    for (c, out) in out.chunks_exact_mut(area).enumerate() {
                        for (out, &sum) in out.iter_mut().zip(tiles[c..].iter().step_by(step)) {
                            *out = sum;
                        }
                    }
                }
            }
        }
    }
}

/// The kernels of up to `block` inputs, of A entries each, which lie `step` apart.
fn entries<T: Real, const A: usize>(tiles: &[T], step: usize, block: usize, out: &mut [T]) {
    let tiles: [&[T]; A] = std::array::from_fn(|entry| &tiles[entry * step..][..block]);
    for (c, out) in out.as_chunks_mut::<A>().0.iter_mut().enumerate() {
        for (out, tile) in out.iter_mut().zip(tiles) {
            *out = tile[c];
        }
    }
}

/// M outputs of one image, or what there is of them, `[M, positions]` as number `image` of `[positions, images, M]`.
fn rotate<T: Real, const M: usize>(delta: &[T], positions: usize, [image, images]: [usize; 2], out: &mut [T]) {
    let out = out.as_chunks_mut::<M>().0;
    for (i, row) in delta.chunks_exact(positions).take(M).enumerate() {
        for (out, &x) in out[image..].iter_mut().step_by(images).zip(row) {
            out[i] = x;
        }
    }
}

/// Rows of the kernel from `ky` on for a block of inputs and M outputs, over some images.
struct Task<'a, T, const M: usize, const V: usize> {
    source: Nchwc,
    sizes: &'a Sizes,
    blocked: &'a [T],
    rotated: &'a [T],
    images: usize,
    index: usize,
    row: usize,
    ky: usize,
    sums: &'a mut [T],
}

impl<T: Real, const M: usize, const V: usize> WithSimd for Task<'_, T, M, V> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { source, sizes, blocked, rotated, images, index, row, ky, sums } = self;
        let ([h, w], stride, kernel) = (sizes.output(), sizes.window.stride, sizes.window.kernel);
        let width = source.padded[1];
        let blocked = T::vectors::<S>(blocked).as_chunks::<V>().0;
        let rotated = rotated.as_chunks::<M>().0;
        let (of_image, of_outputs) = (source.blocks() * source.positions(), sizes.outputs.div_ceil(M) * h * w);
        let sums = T::vectors_mut::<S>(sums).as_chunks_mut::<V>().0.as_chunks_mut::<M>().0;
        let lines = RESIDENT.div_ceil(w);
        for start in (0..images * h).step_by(lines) {
            let lines = start..(start + lines).min(images * h);
            for (tap, sums) in sums.iter_mut().enumerate() {
                let (ky, kx) = (ky + tap / kernel, tap % kernel);
                // Columns and rows that do not read the padding.
                let (first, last) = inside(kx, source.before, source.width, stride, w);
                let (top, bottom) = inside(ky, source.before, source.height, stride, h);
                let mut found = *sums;
                let (mut image, mut y) = (lines.start / h, lines.start % h);
                for _ in lines.clone() {
                    if (top..bottom).contains(&y) {
                        let at = (y * stride + ky) * width + first * stride + kx;
                        let x = &blocked[image * of_image + index * source.positions() + at..];
                        let delta = &rotated[image * of_outputs + (row * h + y) * w..][first..last];
                        found = match stride {
                            1 => outer_products(simd, x[..delta.len()].iter(), delta, found),
                            _ => outer_products(simd, x.iter().step_by(stride), delta, found),
                        };
                    }
                    (image, y) = if y + 1 == h { (image + 1, 0) } else { (image, y + 1) };
                }
                *sums = found;
            }
        }
    }
}

/// The same with the images at one position one after the other.
struct Interleaved<'a, T, const M: usize, const V: usize>(Task<'a, T, M, V>);

impl<T: Real, const M: usize, const V: usize> WithSimd for Interleaved<'_, T, M, V> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Task { source, sizes, blocked, rotated, images, index, row, ky, sums } = self.0;
        let ([h, w], stride, kernel) = (sizes.output(), sizes.window.stride, sizes.window.kernel);
        let blocked = &T::vectors::<S>(blocked).as_chunks::<V>().0[index * source.positions() * images..];
        let rotated = &rotated.as_chunks::<M>().0[row * h * w * images..];
        let sums = T::vectors_mut::<S>(sums).as_chunks_mut::<V>().0.as_chunks_mut::<M>().0;
        let resident = (RESIDENT / (w * images).max(1)).max(1);
        for start in (0..h).step_by(resident) {
            for (tap, sums) in sums.iter_mut().enumerate() {
                let (ky, kx) = (ky + tap / kernel, tap % kernel);
                let (first, last) = inside(kx, source.before, source.width, stride, w);
                let (top, bottom) = inside(ky, source.before, source.height, stride, h);
                let mut found = *sums;
                for y in start.max(top)..(start + resident).min(bottom) {
                    for x in first..last {
                        let at = (y * stride + ky) * source.padded[1] + x * stride + kx;
                        let delta = &rotated[(y * w + x) * images..][..images];
                        found = outer_products(simd, blocked[at * images..][..images].iter(), delta, found);
                    }
                }
                *sums = found;
            }
        }
    }
}

/// The positions, of `count`, from which entry k of the kernel reads inside an image of this size: a range.
#[inline(always)]
fn inside(k: usize, before: usize, size: usize, stride: usize, count: usize) -> (usize, usize) {
    let first = before.saturating_sub(k).div_ceil(stride).min(count);
    let end = (size + before).saturating_sub(k).div_ceil(stride).min(count);
    (first, end.max(first))
}
