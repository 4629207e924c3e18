//! The gradient of a convolution with respect to its weight: sums over the tiles of all images, with channels innermost.
//!
//! Each entry of a tile is a matrix product of its own and has its sums to itself, so bits do not depend on the number of threads.

use pulp::{Simd, WithSimd};

use super::transforms::{ENTRIES, column, transform_cotangent, transform_input, transform_weight_gradient};
use crate::{
    buffer::Buffer,
    conv::{nchwc::Nchwc, window::Sizes},
    simd::Real,
    tasks::{each_chunk, each_chunk_with},
    tile::outer_products,
};

/// Numbers of the transformed images of a chunk, which should stay in the last-level cache.
const CHUNK: usize = 1 << 21;

/// Tiles that stay in the first-level cache while outputs pass.
const RESIDENT: usize = 128;

/// Blocks of M outputs of a task.
const ROWS: usize = 8;

/// How images and cotangents are cut.
struct Plan<'a> {
    sizes: &'a Sizes,
    /// Rows and columns of tiles.
    tiles: [usize; 2],
    source: Nchwc,
    cotangent: Nchwc,
    /// Blocks of V vectors of inputs.
    blocks: usize,
    /// Blocks of M outputs.
    rows: usize,
}

impl Plan<'_> {
    fn count(&self) -> usize {
        self.tiles[0] * self.tiles[1]
    }

    /// Between two entries' tiles: not a power of two, which would put all entries in the same lines of a cache.
    fn pitch(&self) -> usize {
        self.count() + 2
    }
}

/// ∂/∂W `[outputs, inputs, 3, 3]`; M divides the numbers of a vector.
pub(crate) fn weight_gradient<T: Real, S: Simd, const M: usize, const V: usize>(
    simd: S,
    x: &[T],
    delta: &[T],
    sizes: &Sizes,
    out: &mut [T],
) {
    let (lanes, [h, w]) = (T::lanes::<S>(), sizes.output());
    let tiles = [h.div_ceil(2), w.div_ceil(2)];
    let padded = tiles.map(|tiles| 2 * tiles + 2);
    let source = Nchwc { padded, ..Nchwc::of_input(sizes, lanes) };
    let padded = tiles.map(|tiles| 2 * tiles);
    let cotangent = Nchwc { channels: sizes.outputs, height: h, width: w, before: 0, padded, block: lanes };
    let width = V * lanes;
    let (blocks, rows) = (sizes.inputs.div_ceil(width), sizes.outputs.div_ceil(M));
    let plan = Plan { sizes, tiles, source, cotangent, blocks, rows };
    let of_image = [blocks * width, rows * M].map(|channels| ENTRIES * plan.pitch() * channels);
    let chunk = (CHUNK / (of_image[0] + of_image[1]).max(1)).clamp(1, sizes.images.max(1));
    // [images, entries, blocks, tiles, V vectors]
    let mut inputs = Buffer::new(chunk * of_image[0]);
    // [images, entries, rows, tiles, M]
    let mut outputs = Buffer::new(chunk * of_image[1]);
    // [entries, tasks, ROWS, blocks, M, V vectors]
    let of_task = ROWS * blocks * M * width;
    let mut sums = Buffer::new(ENTRIES * rows.div_ceil(ROWS) * of_task);
    let work = sizes.multiplications();
    for start in (0..sizes.images).step_by(chunk) {
        let images = chunk.min(sizes.images - start);
        let buffer = |blocked: Nchwc| move || vec![T::default(); blocked.len()];
        let size = sizes.image();
        each_chunk_with(&mut inputs[..images * of_image[0]], of_image[0], work, buffer(source), |blocked, i, out| {
            source.fill(&x[(start + i) * size..][..size], blocked);
            simd.vectorize(Inputs::<T, V> { plan: &plan, blocked, out });
        });
        let size = sizes.outputs * h * w;
        each_chunk_with(
            &mut outputs[..images * of_image[1]],
            of_image[1],
            work,
            buffer(cotangent),
            |blocked, i, out| {
                cotangent.fill(&delta[(start + i) * size..][..size], blocked);
                simd.vectorize(Outputs::<T, M> { plan: &plan, blocked, out });
            },
        );
        let (inputs, outputs) = (&inputs[..images * of_image[0]], &outputs[..images * of_image[1]]);
        each_chunk(&mut sums, of_task, work, |task, sums| {
            let first = start == 0;
            simd.vectorize(Products::<T, M, V> { plan: &plan, inputs, outputs, task, first, sums });
        });
    }
    let work = 4 * out.len();
    each_chunk(out, M * sizes.inputs * 9, work, |row, out| {
        simd.vectorize(Entries::<T, M, V> { plan: &plan, sums: &sums, row, out });
    });
}

/// Bᵀ d B of one image.
struct Inputs<'a, T, const V: usize> {
    plan: &'a Plan<'a>,
    blocked: &'a [T],
    out: &'a mut [T],
}

impl<T: Real, const V: usize> WithSimd for Inputs<'_, T, V> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { plan, blocked, out } = self;
        let (tiles, pitch, width) = (plan.count(), plan.pitch(), plan.source.padded[1]);
        let blocked = T::vectors::<S>(blocked);
        let out = T::vectors_mut::<S>(out);
        for b in 0..plan.source.blocks() {
            for t in 0..tiles {
                let first = b * plan.source.positions() + 2 * (t / plan.tiles[1] * width + t % plan.tiles[1]);
                let mut rows = [[T::splat(simd, T::default()); 4]; 4];
                for (i, row) in rows.iter_mut().enumerate() {
                    row.copy_from_slice(&blocked[first + i * width..][..4]);
                    *row = transform_input::<S, T>(simd, *row);
                }
                for j in 0..4 {
                    for (i, entry) in transform_input::<S, T>(simd, column(&rows, j)).into_iter().enumerate() {
                        out[(((4 * i + j) * plan.blocks + b / V) * pitch + t) * V + b % V] = entry;
                    }
                }
            }
        }
    }
}

/// A δ Aᵀ of one image.
struct Outputs<'a, T, const M: usize> {
    plan: &'a Plan<'a>,
    blocked: &'a [T],
    out: &'a mut [T],
}

impl<T: Real, const M: usize> WithSimd for Outputs<'_, T, M> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { plan, blocked, out } = self;
        let (tiles, pitch, width, parts) = (plan.count(), plan.pitch(), plan.cotangent.padded[1], T::lanes::<S>() / M);
        let blocked = T::vectors::<S>(blocked);
        let out = out.as_chunks_mut::<M>().0;
        for b in 0..plan.cotangent.blocks() {
            for t in 0..tiles {
                let first = b * plan.cotangent.positions() + 2 * (t / plan.tiles[1] * width + t % plan.tiles[1]);
                let above = transform_cotangent::<S, T>(simd, blocked[first], blocked[first + 1]);
                let below = transform_cotangent::<S, T>(simd, blocked[first + width], blocked[first + width + 1]);
                for (j, (above, below)) in above.into_iter().zip(below).enumerate() {
                    for (i, entry) in transform_cotangent::<S, T>(simd, above, below).into_iter().enumerate() {
                        let row = (4 * i + j) * plan.rows + b * parts;
                        for (part, entry) in T::numbers::<S>(&entry).as_chunks::<M>().0.iter().enumerate() {
                            if b * parts + part < plan.rows {
                                out[(row + part) * pitch + t] = *entry;
                            }
                        }
                    }
                }
            }
        }
    }
}

/// One entry for some outputs, over some images.
struct Products<'a, T, const M: usize, const V: usize> {
    plan: &'a Plan<'a>,
    inputs: &'a [T],
    outputs: &'a [T],
    task: usize,
    /// True if there are no sums yet.
    first: bool,
    sums: &'a mut [T],
}

impl<T: Real, const M: usize, const V: usize> WithSimd for Products<'_, T, M, V> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { plan, inputs, outputs, task, first: new, sums } = self;
        let (tiles, pitch, blocks, rows) = (plan.count(), plan.pitch(), plan.blocks, plan.rows);
        let (entry, first) = (task / rows.div_ceil(ROWS), task % rows.div_ceil(ROWS) * ROWS);
        let inputs = T::vectors::<S>(inputs).as_chunks::<V>().0;
        let outputs = outputs.as_chunks::<M>().0;
        let sums = T::vectors_mut::<S>(sums).as_chunks_mut::<V>().0.as_chunks_mut::<M>().0;
        let count = inputs.len() / (ENTRIES * blocks * pitch) * tiles;
        for start in (0..count).step_by(RESIDENT) {
            let end = (start + RESIDENT).min(count);
            for block in 0..blocks {
                for row in first..rows.min(first + ROWS) {
                    let sum = &mut sums[(row - first) * blocks + block];
                    let mut found = if new && start == 0 { [[T::splat(simd, T::default()); V]; M] } else { *sum };
                    let mut at = start;
                    while at < end {
                        let (image, from) = (at / tiles, at % tiles);
                        let len = (tiles - from).min(end - at);
                        let x = ((image * ENTRIES + entry) * blocks + block) * pitch + from;
                        let delta = ((image * ENTRIES + entry) * rows + row) * pitch + from;
                        found = outer_products(simd, inputs[x..][..len].iter(), &outputs[delta..][..len], found);
                        at += len;
                    }
                    *sum = found;
                }
            }
        }
    }
}

/// Gᵀ S G for M outputs.
struct Entries<'a, T, const M: usize, const V: usize> {
    plan: &'a Plan<'a>,
    sums: &'a [T],
    row: usize,
    out: &'a mut [T],
}

impl<T: Real, const M: usize, const V: usize> WithSimd for Entries<'_, T, M, V> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { plan, sums, row, out } = self;
        let (lanes, inputs) = (T::lanes::<S>(), plan.sizes.inputs);
        let rows = plan.rows.next_multiple_of(ROWS);
        let sums = T::vectors::<S>(sums);
        for (o, out) in out.chunks_exact_mut(inputs * 9).enumerate() {
            for (b, out) in out.chunks_mut(9 * lanes).enumerate() {
                let mut columns = [[T::splat(simd, T::default()); 3]; 4];
                for (j, column) in columns.iter_mut().enumerate() {
                    let mut entries = [T::splat(simd, T::default()); 4];
                    for (i, entry) in entries.iter_mut().enumerate() {
                        let at = ((4 * i + j) * rows + row) * plan.blocks + b / V;
                        *entry = sums[(at * M + o) * V + b % V];
                    }
                    *column = transform_weight_gradient::<S, T>(simd, entries);
                }
                for i in 0..3 {
                    let found = transform_weight_gradient::<S, T>(simd, column(&columns, i));
                    for (j, found) in found.iter().enumerate() {
                        for (out, &x) in out.iter_mut().skip(3 * i + j).step_by(9).zip(T::numbers::<S>(found)) {
                            *out = x;
                        }
                    }
                }
            }
        }
    }
}
