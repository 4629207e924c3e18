//! Images in tiles: into the transformed ones and back.
//!
//! The images of a task lie side by side, so that a row of tiles goes through all of them and fills vectors where images are small.

use std::ops::Range;

use pulp::Simd;

use super::{ENTRIES, column, four, two};
use crate::{Real, buffer::Buffer, window::Sliding};

/// Tiles that a task should have: many, so that little of its last panel is empty.
const TILES: usize = 64;

/// Numbers of a group of panels, which should stay in the second-level cache.
const GROUP: usize = 1 << 19;

/// Numbers of the longest vector.
const LONGEST: usize = 16;

/// Rows and columns of tiles of an image.
fn grid(sizes: &Sliding) -> [usize; 2] {
    [sizes.h.div_ceil(2), sizes.w.div_ceil(2)]
}

/// Tiles of an image.
pub(super) fn tiles(sizes: &Sliding) -> usize {
    grid(sizes).iter().product()
}

/// Images of a task.
pub(super) fn together(sizes: &Sliding, lanes: usize) -> usize {
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

/// Where the four columns of the tiles of a row lie.
#[derive(Clone, Copy)]
struct Layout {
    /// True where columns 2 and 3 are columns 0 and 1 of the next tile: of one image a row.
    shared: bool,
    /// Numbers of a row.
    row: usize,
    columns: [usize; 4],
}

impl Layout {
    fn new(together: usize, columns: usize, lanes: usize) -> Self {
        // Vectors are read beyond the last tile.
        let pitch = (together * columns).next_multiple_of(lanes) + lanes;
        match together {
            1 => Self { shared: true, row: 2 * pitch, columns: [0, pitch, 1, pitch + 1] },
            _ => Self { shared: false, row: 4 * pitch, columns: [0, 1, 2, 3].map(|column| column * pitch) },
        }
    }
}

/// What a thread keeps between tasks.
pub(super) struct Scratch<T: Real> {
    /// The rows of one channel that a group needs, padded: of every tile its four columns. What no image has stays zero.
    rows: Vec<T>,
    layout: Layout,
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
        let [rows, columns] = grid(sizes);
        let layout = Layout::new(together(sizes, lanes), columns, lanes);
        // Vectors are read and written beyond the last tile of a row.
        let of = [sizes.inputs * panel + lanes, sizes.outputs.next_multiple_of(block) * panel];
        let panels = (GROUP / (ENTRIES * of[0])).clamp(1, TILES.div_ceil(panel));
        Self {
            rows: vec![T::default(); (2 * rows + 2) * layout.row],
            layout,
            inputs: Buffer::new(ENTRIES * panels * of[0]),
            products: Buffer::new(panels * ENTRIES * of[1] + lanes),
            panels,
            width: panel,
            sizes: of,
        }
    }

    /// Rows of tiles `tiles` of channel `c` of the images.
    #[inline(always)]
    fn fill(&mut self, sizes: &Sliding, tiles: Range<usize>, images: &[T], c: usize) {
        let [_, columns] = grid(sizes);
        match columns {
            2 => self.fill_of::<2>(sizes, tiles, images, c),
            4 => self.fill_of::<4>(sizes, tiles, images, c),
            7 => self.fill_of::<7>(sizes, tiles, images, c),
            8 => self.fill_of::<8>(sizes, tiles, images, c),
            _ => self.fill_of::<0>(sizes, tiles, images, c),
        }
    }

    /// With C tiles in a row of an image, or any number where C is 0.
    #[inline(always)]
    fn fill_of<const C: usize>(&mut self, sizes: &Sliding, tiles: Range<usize>, images: &[T], c: usize) {
        let (layout, [_, columns], before) = (self.layout, grid(sizes), sizes.before);
        let plane = sizes.height * sizes.width;
        for (y, out) in (2 * tiles.start..2 * tiles.end + 2).zip(self.rows.chunks_exact_mut(layout.row)) {
            if y < before || y - before >= sizes.height {
                out.fill(T::default());
                continue;
            }
            let start = c * plane + (y - before) * sizes.width;
            for (i, image) in images.chunks_exact(sizes.inputs * plane).enumerate() {
                let row = &image[start..][..sizes.width];
                let at = i * columns;
                match C {
                    _ if layout.shared => split(row, out.split_at_mut(layout.columns[1]), before),
                    0 => any_columns(row, layout.columns.map(|column| column + at), columns, before, out),
                    _ if before != 1 || row.len() != 2 * C => {
                        any_columns(row, layout.columns.map(|column| column + at), columns, before, out);
                    }
                    _ => four_columns::<T, C>(row, layout.columns.map(|column| column + at), out),
                }
            }
        }
    }
}

/// Columns 2x − 1 to 2x + 2 of a row of 2C numbers, with zeros around it, for C tiles x.
#[inline(always)]
fn four_columns<T: Real, const C: usize>(row: &[T], at: [usize; 4], out: &mut [T]) {
    let pairs: &[[T; 2]; C] = row.as_chunks().0.first_chunk().expect("two numbers a tile");
    let mut columns = [[T::default(); C]; 4];
    for (x, &[even, odd]) in pairs.iter().enumerate() {
        (columns[1][x], columns[2][x]) = (even, odd);
    }
    for x in 1..C {
        (columns[0][x], columns[3][x - 1]) = (columns[2][x - 1], columns[1][x]);
    }
    for (column, at) in columns.iter().zip(at) {
        out[at..][..C].copy_from_slice(column);
    }
}

/// Columns 2x − before and the three after it of any row, for `columns` tiles x.
fn any_columns<T: Real>(row: &[T], at: [usize; 4], columns: usize, before: usize, out: &mut [T]) {
    for (j, at) in at.into_iter().enumerate() {
        let number = |x: usize| row.get((2 * x + j).wrapping_sub(before)).copied().unwrap_or_default();
        for (x, out) in out[at..][..columns].iter_mut().enumerate() {
            *out = number(x);
        }
    }
}

/// A row after `before` zeros, which are there already: every second number of it each.
#[inline(always)]
fn split<T: Real>(row: &[T], (even, odd): (&mut [T], &mut [T]), before: usize) {
    let (a, b) = match before % 2 {
        0 => (&mut even[before / 2..], &mut odd[before / 2..]),
        _ => (&mut odd[before / 2..], &mut even[before / 2 + 1..]),
    };
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

/// Pairs that are put together in registers.
const PAIRS: usize = 8;

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

/// Bᵀ d B of a group of panels.
#[inline(always)]
pub(super) fn transform_input<S: Simd, T: Real>(
    simd: S,
    sizes: &Sliding,
    images: &[T],
    runs: &[Run],
    scratch: &mut Scratch<T>,
) {
    let (lanes, layout) = (T::lanes::<S>(), scratch.layout);
    let of_entry = scratch.panels * scratch.sizes[0];
    let (start, end) = (runs[0].row, runs[runs.len() - 1].row + 1);
    for c in 0..sizes.inputs {
        scratch.fill(sizes, start..end, images, c);
        for run in runs {
            let from = 2 * layout.row * (run.row - start) + run.first;
            let mut rows = [[T::splat(simd, T::default()); 4]; 4];
            for (i, row) in rows.iter_mut().enumerate() {
                for (entry, column) in row.iter_mut().zip(layout.columns) {
                    *entry = T::vectors::<S>(&scratch.rows[from + i * layout.row + column..][..lanes])[0];
                }
                *row = four::<S, T>(simd, *row);
            }
            let to = run.panel * scratch.sizes[0] + c * scratch.width + run.at;
            for j in 0..4 {
                for (i, entry) in four::<S, T>(simd, column(&rows, j)).into_iter().enumerate() {
                    T::vectors_mut::<S>(&mut scratch.inputs[(4 * i + j) * of_entry + to..][..lanes])[0] = entry;
                }
            }
        }
    }
}

/// Aᵀ m A of a group of panels.
#[inline(always)]
pub(super) fn transform_output<S: Simd, T: Real>(
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
                *row = two::<S, T>(simd, entries);
            }
            let (left, right) = (two::<S, T>(simd, column(&rows, 0)), two::<S, T>(simd, column(&rows, 1)));
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
