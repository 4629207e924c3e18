//! Rows of images, taken apart so that each of the four columns of all tiles is a vector's to read.

use std::ops::Range;

use super::transforms::grid;
use crate::{conv::window::Sliding, simd::Real};

/// Pairs that are taken apart or put images_per_task in registers.
const PAIRS: usize = 8;

/// The rows of one channel that some rows of tiles need, padded: of every tile its four columns.
pub(super) struct Rows<T> {
    /// What no image has stays zero.
    numbers: Vec<T>,
    /// True if columns 2 and 3 are columns 0 and 1 of the next tile: of one image a row.
    shared: bool,
    /// Numbers of a row.
    pitch: usize,
    /// Starts of the columns in a row.
    columns: [usize; 4],
}

impl<T: Real> Rows<T> {
    /// For `images_per_task` images side by side.
    pub(super) fn new(sizes: &Sliding, images_per_task: usize, lanes: usize) -> Self {
        let [rows, columns] = grid(sizes);
        // Vectors are read beyond the last tile.
        let column = (images_per_task * columns).next_multiple_of(lanes) + lanes;
        let shared = images_per_task == 1;
        let (pitch, columns) = match shared {
            true => (2 * column, [0, column, 1, column + 1]),
            false => (4 * column, [0, 1, 2, 3].map(|j| j * column)),
        };
        Self { numbers: vec![T::default(); (2 * rows + 2) * pitch], shared, pitch, columns }
    }

    /// The four columns of the tiles from `first` on, of padded row `row`.
    #[inline(always)]
    pub(super) fn at(&self, row: usize, first: usize) -> [&[T]; 4] {
        let row = &self.numbers[row * self.pitch + first..];
        self.columns.map(|column| &row[column..])
    }

    /// Reads what rows of tiles `tiles` need of channel `c` of the images.
    #[inline(always)]
    pub(super) fn fill(&mut self, sizes: &Sliding, tiles: Range<usize>, images: &[T], c: usize) {
        let [_, columns] = grid(sizes);
        match columns {
            2 => self.fill_of::<2>(sizes, tiles, images, c),
            4 => self.fill_of::<4>(sizes, tiles, images, c),
            7 => self.fill_of::<7>(sizes, tiles, images, c),
            8 => self.fill_of::<8>(sizes, tiles, images, c),
            _ => self.fill_of::<0>(sizes, tiles, images, c),
        }
    }

    /// With C tiles in a row of an image, or any number if C is 0.
    #[inline(always)]
    fn fill_of<const C: usize>(&mut self, sizes: &Sliding, tiles: Range<usize>, images: &[T], c: usize) {
        let ([_, columns], before) = (grid(sizes), sizes.before);
        let plane = sizes.height * sizes.width;
        for (y, out) in (2 * tiles.start..2 * tiles.end + 2).zip(self.numbers.chunks_exact_mut(self.pitch)) {
            if y < before || y - before >= sizes.height {
                out.fill(T::default());
                continue;
            }
            let start = c * plane + (y - before) * sizes.width;
            for (i, image) in images.chunks_exact(sizes.inputs * plane).enumerate() {
                let row = &image[start..][..sizes.width];
                let at = self.columns.map(|column| column + i * columns);
                if self.shared {
                    split(row, out.split_at_mut(self.columns[1]), before);
                } else if C > 0 && before == 1 && row.len() == 2 * C {
                    four_columns::<T, C>(row, at, out);
                } else {
                    any_columns(row, at, columns, before, out);
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

/// A row of numbers from `a` and `b` in turn.
#[inline(always)]
pub(super) fn join<T: Real>(a: &[T], b: &[T], row: &mut [T]) {
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
