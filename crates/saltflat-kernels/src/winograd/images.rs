//! Images in tiles: into the transformed ones and back.

use std::ops::Range;

use pulp::Simd;

use super::{ENTRIES, column, four, two};
use crate::{Real, buffer::Buffer, window::Sliding};

/// Tiles of a task: many, so that little of its last panel is empty.
pub(super) const TILES: usize = 64;

/// Numbers of a group of panels, which should stay in the second-level cache.
const GROUP: usize = 1 << 19;

fn columns(sizes: &Sliding) -> usize {
    sizes.w.div_ceil(2)
}

/// Tiles of an image.
pub(super) fn tiles(sizes: &Sliding) -> usize {
    sizes.h.div_ceil(2) * columns(sizes)
}

/// Tiles of one panel and one row of tiles.
struct Run {
    /// Among the rows of tiles of its image.
    row: usize,
    /// Its first tile in the row.
    first: usize,
    len: usize,
    panel: usize,
    /// Its first tile in the panel.
    at: usize,
}

/// The runs of a group of panels in one image.
pub(super) struct Segment {
    image: usize,
    runs: Vec<Run>,
}

/// Those of a task's tiles that are in `group`, in panels of `width`.
pub(super) fn segments(sizes: &Sliding, group: Range<usize>, width: usize) -> Vec<Segment> {
    let (columns, tiles) = (columns(sizes), tiles(sizes));
    let mut found: Vec<Segment> = Vec::new();
    let mut tile = group.start;
    while tile < group.end {
        let (image, row, first) = (tile / tiles, tile % tiles / columns, tile % columns);
        let (panel, at) = ((tile - group.start) / width, (tile - group.start) % width);
        let run = Run { row, first, len: (columns - first).min(width - at).min(group.end - tile), panel, at };
        tile += run.len;
        match found.last_mut() {
            Some(last) if last.image == image => last.runs.push(run),
            _ => found.push(Segment { image, runs: vec![run] }),
        }
    }
    found
}

/// What a thread keeps between tasks.
pub(super) struct Scratch<T: Real> {
    /// The rows of one channel that a panel needs, padded, `[rows, 2, pitch]`: even columns, then odd ones.
    rows: Vec<T>,
    pitch: usize,
    /// Bᵀ d B `[entries, panels, inputs, tiles]`.
    pub(super) inputs: Buffer<T>,
    /// `[panels, entries, outputs, tiles]`.
    pub(super) products: Buffer<T>,
    pub(super) panels: usize,
    /// Tiles of a panel.
    pub(super) width: usize,
    /// Numbers of one entry and panel in `inputs`, and in `products`.
    pub(super) sizes: [usize; 2],
}

impl<T: Real> Scratch<T> {
    pub(super) fn new(sizes: &Sliding, panel: usize, lanes: usize, block: usize) -> Self {
        let pitch = columns(sizes).next_multiple_of(lanes) + 2;
        // Vectors are read and written beyond the last tile of a row.
        let of = [sizes.inputs * panel + lanes, sizes.outputs.next_multiple_of(block) * panel];
        let panels = (GROUP / (ENTRIES * of[0])).clamp(1, TILES.div_ceil(panel));
        Self {
            rows: vec![T::default(); (2 * sizes.h.div_ceil(2) + 2) * 2 * pitch + lanes],
            pitch,
            inputs: Buffer::new(ENTRIES * panels * of[0]),
            products: Buffer::new(panels * ENTRIES * of[1] + lanes),
            panels,
            width: panel,
            sizes: of,
        }
    }

    /// Rows of tiles `tiles` of one channel.
    #[inline(always)]
    fn fill(&mut self, sizes: &Sliding, tiles: Range<usize>, plane: &[T]) {
        let before = sizes.before;
        for (y, row) in (2 * tiles.start..2 * tiles.end + 2).zip(self.rows.chunks_exact_mut(2 * self.pitch)) {
            if y < before || y - before >= sizes.height {
                row.fill(T::default());
                continue;
            }
            let image = &plane[(y - before) * sizes.width..][..sizes.width];
            let (even, odd) = row.split_at_mut(self.pitch);
            let (a, b) = match before % 2 {
                0 => (&mut even[before / 2..], &mut odd[before / 2..]),
                _ => (&mut odd[before / 2..], &mut even[before / 2 + 1..]),
            };
            split(image, a, b);
        }
    }
}

/// Pairs that are taken apart or put together in registers.
const PAIRS: usize = 8;

/// Every second number of a row into `a`, the others into `b`.
#[inline(always)]
fn split<T: Real>(row: &[T], a: &mut [T], b: &mut [T]) {
    let (blocks, rest) = row.as_chunks::<{ 2 * PAIRS }>();
    let (a_blocks, a_rest) = a.split_at_mut(PAIRS * blocks.len());
    let (b_blocks, b_rest) = b.split_at_mut(PAIRS * blocks.len());
    let pairs = a_blocks.as_chunks_mut::<PAIRS>().0.iter_mut().zip(b_blocks.as_chunks_mut::<PAIRS>().0);
    for (block, (a, b)) in blocks.iter().zip(pairs) {
        for i in 0..PAIRS {
            (a[i], b[i]) = (block[2 * i], block[2 * i + 1]);
        }
    }
    for (i, &x) in rest.iter().enumerate() {
        if i % 2 == 0 { a_rest[i / 2] = x } else { b_rest[i / 2] = x }
    }
}

/// A row of numbers from `a` and `b` in turn.
#[inline(always)]
fn join<T: Real>(a: &[T], b: &[T], row: &mut [T]) {
    let (blocks, rest) = row.as_chunks_mut::<{ 2 * PAIRS }>();
    let done = PAIRS * blocks.len();
    let pairs = a.as_chunks::<PAIRS>().0.iter().zip(b.as_chunks::<PAIRS>().0);
    for (block, (a, b)) in blocks.iter_mut().zip(pairs) {
        for i in 0..PAIRS {
            (block[2 * i], block[2 * i + 1]) = (a[i], b[i]);
        }
    }
    for (i, x) in rest.iter_mut().enumerate() {
        *x = if i % 2 == 0 { a[done + i / 2] } else { b[done + i / 2] };
    }
}

/// Bᵀ d B of a panel.
#[inline(always)]
pub(super) fn transform_input<S: Simd, T: Real>(
    simd: S,
    sizes: &Sliding,
    source: &[T],
    segments: &[Segment],
    scratch: &mut Scratch<T>,
) {
    let (lanes, plane, pitch) = (T::lanes::<S>(), sizes.height * sizes.width, scratch.pitch);
    let of_entry = scratch.panels * scratch.sizes[0];
    for c in 0..sizes.inputs {
        for Segment { image, runs } in segments {
            let (start, end) = (runs[0].row, runs[runs.len() - 1].row + 1);
            scratch.fill(sizes, start..end, &source[(image * sizes.inputs + c) * plane..][..plane]);
            for run in runs {
                for k in (0..run.len).step_by(lanes) {
                    let at = 4 * pitch * (run.row - start) + run.first + k;
                    let mut rows = [[T::splat(simd, T::default()); 4]; 4];
                    for (i, row) in rows.iter_mut().enumerate() {
                        for (j, entry) in row.iter_mut().enumerate() {
                            let from = at + (2 * i + j % 2) * pitch + j / 2;
                            *entry = T::vectors::<S>(&scratch.rows[from..][..lanes])[0];
                        }
                        *row = four::<S, T>(simd, *row);
                    }
                    let to = run.panel * scratch.sizes[0] + c * scratch.width + run.at + k;
                    for j in 0..4 {
                        for (i, entry) in four::<S, T>(simd, column(&rows, j)).into_iter().enumerate() {
                            let to = (4 * i + j) * of_entry + to;
                            T::vectors_mut::<S>(&mut scratch.inputs[to..][..lanes])[0] = entry;
                        }
                    }
                }
            }
        }
    }
}

/// Aᵀ m A of a panel.
#[inline(always)]
pub(super) fn transform_output<S: Simd, T: Real>(
    simd: S,
    sizes: &Sliding,
    bias: Option<&[T]>,
    segments: &[Segment],
    scratch: &Scratch<T>,
    out: &mut [T],
) {
    let (lanes, width, [h, w]) = (T::lanes::<S>(), scratch.width, [sizes.h, sizes.w]);
    for o in 0..sizes.outputs {
        let offset = T::splat(simd, bias.map_or_else(T::default, |bias| bias[o]));
        for Segment { image, runs } in segments {
            let out = &mut out[(image * sizes.outputs + o) * h * w..][..h * w];
            for run in runs {
                for k in (0..run.len).step_by(lanes) {
                    let from = run.panel * ENTRIES * scratch.sizes[1] + o * width + run.at + k;
                    let mut columns = [[T::splat(simd, T::default()); 2]; 4];
                    for (j, column) in columns.iter_mut().enumerate() {
                        let mut entries = [T::splat(simd, T::default()); 4];
                        for (i, entry) in entries.iter_mut().enumerate() {
                            let from = (4 * i + j) * scratch.sizes[1] + from;
                            *entry = T::vectors::<S>(&scratch.products[from..][..lanes])[0];
                        }
                        *column = two::<S, T>(simd, entries);
                    }
                    for i in 0..2 {
                        let y = 2 * run.row + i;
                        if y == h {
                            break;
                        }
                        let [a, b] = two::<S, T>(simd, column(&columns, i));
                        let (a, b) = (T::plus(simd, a, offset), T::plus(simd, b, offset));
                        let start = 2 * (run.first + k);
                        let end = (start + 2 * lanes.min(run.len - k)).min(w);
                        let row = &mut out[y * w + start..y * w + end];
                        join(T::numbers::<S>(&a), T::numbers::<S>(&b), row);
                    }
                }
            }
        }
    }
}
