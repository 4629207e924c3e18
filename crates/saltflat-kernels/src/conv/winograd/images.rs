//! Images in tiles: into the transformed ones and back.
//!
//! The images of a task lie side by side, so that a row of tiles goes through all of them and fills vectors even if images are small.

use std::ops::Range;

use pulp::Simd;

use super::{
    rows::{Rows, join},
    transforms::{ENTRIES, column, grid, transform_input, transform_output},
};
use crate::{buffer::Buffer, conv::window::Sliding, simd::Real};

/// Tiles that a task should have: many, so that little of its last panel is empty.
const TILES: usize = 64;

/// Numbers of a group of panels, which should stay in the second-level cache.
const GROUP: usize = 1 << 19;

/// Numbers of the longest vector.
const LONGEST: usize = 16;

/// Tiles of an image.
pub(super) fn tiles(sizes: &Sliding) -> usize {
    grid(sizes).iter().product()
}

/// Images of a task.
pub(super) fn images_per_task(sizes: &Sliding, lanes: usize) -> usize {
    let [_, columns] = grid(sizes);
    (TILES / tiles(sizes).max(1)).max(lanes / columns.max(1)).max(1)
}

/// A vector of tiles, or less, of one panel and one row of tiles.
pub(super) struct Run {
    /// Among the rows of tiles.
    row: usize,
    /// Its first tile in the row.
    first: usize,
    panel: usize,
    /// Its first tile in the panel.
    at: usize,
    pieces: Vec<Piece>,
}

/// Tiles of a run in one image.
struct Piece {
    image: usize,
    /// Its first tile in the row of the image.
    column: usize,
    /// Its first tile in the run.
    lane: usize,
    tiles: usize,
}

/// Those of the tiles of some images that are in `group`, in panels of `width`.
pub(super) fn runs(sizes: &Sliding, images: usize, group: Range<usize>, width: usize, lanes: usize) -> Vec<Run> {
    let [_, columns] = grid(sizes);
    let line = images * columns;
    let mut found = Vec::new();
    let mut tile = group.start;
    while tile < group.end {
        let (row, first) = (tile / line, tile % line);
        let (panel, at) = ((tile - group.start) / width, (tile - group.start) % width);
        let len = lanes.min(line - first).min(width - at).min(group.end - tile);
        let mut pieces = Vec::new();
        let mut lane = 0;
        while lane < len {
            let (image, column) = ((first + lane) / columns, (first + lane) % columns);
            let tiles = (columns - column).min(len - lane);
            pieces.push(Piece { image, column, lane, tiles });
            lane += tiles;
        }
        found.push(Run { row, first, panel, at, pieces });
        tile += len;
    }
    found
}

/// What a thread keeps between tasks.
pub(super) struct Scratch<T: Real> {
    rows: Rows<T>,
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
        // Vectors are read and written beyond the last tile of a row.
        let of = [sizes.inputs * panel + lanes, sizes.outputs.next_multiple_of(block) * panel];
        let panels = (GROUP / (ENTRIES * of[0])).clamp(1, TILES.div_ceil(panel));
        Self {
            rows: Rows::new(sizes, images_per_task(sizes, lanes), lanes),
            inputs: Buffer::new(ENTRIES * panels * of[0]),
            products: Buffer::new(panels * ENTRIES * of[1] + lanes),
            panels,
            width: panel,
            sizes: of,
        }
    }
}

/// Bᵀ d B of a group of panels.
#[inline(always)]
pub(super) fn transform_input_tiles<S: Simd, T: Real>(
    simd: S,
    sizes: &Sliding,
    images: &[T],
    runs: &[Run],
    scratch: &mut Scratch<T>,
) {
    let lanes = T::lanes::<S>();
    let of_entry = scratch.panels * scratch.sizes[0];
    let (start, end) = (runs[0].row, runs[runs.len() - 1].row + 1);
    for c in 0..sizes.inputs {
        scratch.rows.fill(sizes, start..end, images, c);
        for run in runs {
            let mut rows = [[T::splat(simd, T::default()); 4]; 4];
            for (i, row) in rows.iter_mut().enumerate() {
                let columns = scratch.rows.at(2 * (run.row - start) + i, run.first);
                for (entry, column) in row.iter_mut().zip(columns) {
                    *entry = T::vectors::<S>(&column[..lanes])[0];
                }
                *row = transform_input::<S, T>(simd, *row);
            }
            let to = run.panel * scratch.sizes[0] + c * scratch.width + run.at;
            for j in 0..4 {
                for (i, entry) in transform_input::<S, T>(simd, column(&rows, j)).into_iter().enumerate() {
                    T::vectors_mut::<S>(&mut scratch.inputs[(4 * i + j) * of_entry + to..][..lanes])[0] = entry;
                }
            }
        }
    }
}

/// Aᵀ m A of a group of panels.
#[inline(always)]
pub(super) fn transform_output_tiles<S: Simd, T: Real>(
    simd: S,
    sizes: &Sliding,
    bias: Option<&[T]>,
    runs: &[Run],
    scratch: &Scratch<T>,
    out: &mut [T],
) {
    let (lanes, [h, w]) = (T::lanes::<S>(), [sizes.h, sizes.w]);
    let of_panel = ENTRIES * scratch.sizes[1];
    for o in 0..sizes.outputs {
        let offset = T::splat(simd, bias.map_or_else(T::default, |bias| bias[o]));
        for run in runs {
            let from = run.panel * of_panel + o * scratch.width + run.at;
            let mut rows = [[T::splat(simd, T::default()); 2]; 4];
            for (i, row) in rows.iter_mut().enumerate() {
                let mut entries = [T::splat(simd, T::default()); 4];
                for (j, entry) in entries.iter_mut().enumerate() {
                    let from = from + (4 * i + j) * scratch.sizes[1];
                    *entry = T::vectors::<S>(&scratch.products[from..][..lanes])[0];
                }
                *row = transform_output::<S, T>(simd, entries);
            }
            let (left, right) =
                (transform_output::<S, T>(simd, column(&rows, 0)), transform_output::<S, T>(simd, column(&rows, 1)));
            for (i, (left, right)) in left.into_iter().zip(right).enumerate() {
                let y = 2 * run.row + i;
                if y == h {
                    break;
                }
                let (left, right) = (T::plus(simd, left, offset), T::plus(simd, right, offset));
                let (left, right) = (T::numbers::<S>(&left), T::numbers::<S>(&right));
                if let [Piece { image, column, lane: 0, tiles }] = run.pieces[..] {
                    let start = ((image * sizes.outputs + o) * h + y) * w;
                    join(left, right, &mut out[start + 2 * column..start + w.min(2 * (column + tiles))]);
                    continue;
                }
                let mut both = [T::default(); 2 * LONGEST];
                join(left, right, &mut both[..2 * lanes]);
                for Piece { image, column, lane, tiles } in &run.pieces {
                    let out = &mut out[((image * sizes.outputs + o) * h + y) * w + 2 * column..];
                    let from = &both[2 * lane..];
                    // A copy of a known length is a vector, any other a call.
                    match (2 * tiles).min(w - 2 * column) {
                        4 => out[..4].copy_from_slice(&from[..4]),
                        8 => out[..8].copy_from_slice(&from[..8]),
                        16 => out[..16].copy_from_slice(&from[..16]),
                        32 => out[..32].copy_from_slice(&from[..32]),
                        len => out[..len].copy_from_slice(&from[..len]),
                    }
                }
            }
        }
    }
}
