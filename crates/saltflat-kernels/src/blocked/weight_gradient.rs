//! The gradient of a convolution with respect to its weight: sums over images and positions.
//!
//! For a kernel entry, M outputs and V vectors of inputs stay in registers while positions pass. Images are taken in chunks
//! whose size does not depend on the number of threads, and each sum has one owner: equal bits for any number.

use pulp::{Simd, WithSimd};

use super::Blocked;
use crate::{
    Real,
    buffer::Buffer,
    tasks::{each_chunk, zeros},
    tile::outer,
    window::Sizes,
};

/// Padded positions of the images of a chunk: what a task reads of a block of channels stays in the second-level cache.
const POSITIONS: usize = 4096;

/// Positions that stay in the first-level cache while the kernel's entries pass.
const RESIDENT: usize = 128;

/// ∂/∂W `[outputs, inputs, kernel, kernel]`.
pub(crate) fn weight_gradient<'a, T: Real, S: Simd, const M: usize, const V: usize>(
    simd: S,
    x: &'a [T],
    delta: &'a [T],
    sizes: &Sizes,
) -> Vec<T> {
    let (window, kernel, block) = (sizes.window, sizes.window.kernel, V * T::lanes::<S>());
    let mut out = zeros(sizes.outputs * sizes.inputs * window.area());
    if sizes.images == 0 {
        return out;
    }
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
    let mut sums = Buffer::new(source.blocks() * rows * kernel * tile);
    let positions = sizes.positions();
    let chunk = (POSITIONS / source.positions()).clamp(1, sizes.images);
    let work = sizes.multiplications();
    let mut blocked = Buffer::new(chunk * source.len());
    // [images, output blocks, positions, M]
    let mut rotated = Buffer::new(chunk * rows * positions * M);
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
                source.fill(of(x, image, i), blocked);
            },
        );
        let size = rows * positions * M;
        each_chunk(
            &mut rotated[..images * size],
            size,
            work,
            || (),
            |(), i, rotated| {
                rotate::<T, M>(of(delta, output, i), positions, rotated);
            },
        );
        each_chunk(
            &mut sums,
            tile,
            work,
            || (),
            |(), task, sums| {
                if start == 0 {
                    sums.fill(T::default());
                }
                let (index, row, ky) = (task / kernel / rows, task / kernel % rows, task % kernel);
                let (blocked, rotated) = (&blocked[..images * source.len()], &rotated[..]);
                simd.vectorize(Task::<T, M, V> { source, sizes, blocked, rotated, index, row, ky, sums });
            },
        );
    }
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
                            1 => outer(simd, x[..delta.len()].iter(), delta, found),
                            _ => outer(simd, x.iter().step_by(stride), delta, found),
                        };
                    }
                    (image, y) = if y + 1 == h { (image + 1, 0) } else { (image, y + 1) };
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
