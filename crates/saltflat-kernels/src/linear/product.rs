//! Products of matrices, those of linear layers.
//!
//! M rows of one factor times V vectors of the other stay in registers while the inner dimension passes, a stretch of it at a time. What a
//! thread reads again and again is packed, for that thread alone. Every sum has one order, so bits depend neither on the shape of tasks nor on
//! the number of threads.

use pulp::{Simd, WithSimd};

use crate::{
    buffer::Buffer,
    simd::Real,
    tasks::{each_chunk, zeros},
    tile::{inner_products, outer_products},
};

/// Of the inner dimension at a time: with some vectors it stays in the first-level cache.
const DEPTH: usize = 256;

/// Rows of a task at most: with [`DEPTH`] they stay in the second-level cache.
const ROWS: usize = 512;

/// Numbers of the rows of a task at most, if all of the inner dimension is packed: half of the second-level cache.
const NUMBERS: usize = 1 << 18;

/// Columns of a product of rows that are made at a time, a multiple of the rows of every tile.
const COLUMNS: usize = 48;

/// Numbers of a line of the cache, of either type at least.
const LINE: usize = 16;

/// Whether a product of A `[m, k]` and B `[k, n]` is faster here than in burn: if packing A does not count, and B stays in the second-level
/// cache.
pub(crate) fn is_profitable([_, k, n]: [usize; 3]) -> bool {
    n >= 128 && k * n <= 1 << 19
}

/// How the left factor `[m, k]` is stored.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Left {
    /// Row by row.
    Rows,
    /// Column by column.
    Columns,
}

/// A B `[m, n]` of A `[m, k]` and B `[k, n]`, the latter stored row by row.
pub(crate) fn product<T: Real>(a: &[T], left: Left, b: &[T], sizes @ [m, k, n]: [usize; 3]) -> Vec<T> {
    let rows = rows_of_task(m, ROWS).next_multiple_of(12);
    let mut out = zeros(m * n);
    let arch = pulp::Arch::new();
    let make = |task: usize, out: &mut [T]| {
        arch.dispatch(Panels { a, left, b, sizes, first: task * rows, out });
    };
    each_chunk(&mut out, rows * n, m * k * n, make);
    out
}

/// A Bᵀ `[m, n]` of A `[m, k]` and B `[n, k]`, both stored row by row.
pub(crate) fn product_of_rows<T: Real>(a: &[T], b: &[T], [m, k, n]: [usize; 3]) -> Vec<T> {
    let rows = rows_of_task(m, NUMBERS / k.max(1)).next_multiple_of(32);
    let mut out = zeros(m * n);
    let arch = pulp::Arch::new();
    let make = |task: usize, out: &mut [T]| {
        let a = &a[task * rows * k..][..out.len() / n * k];
        arch.dispatch(RowPanels { a, b, sizes: [k, n], out });
    };
    each_chunk(&mut out, rows * n, m * k * n, make);
    out
}

/// A task goes through all of the right factor, so there are no more tasks than threads if so many rows will do.
fn rows_of_task(rows: usize, most: usize) -> usize {
    rows.div_ceil(rayon::current_num_threads()).min(most).max(1)
}

/// Some rows of a product, from `first` on: a panel of V vectors of B at a time with every block of M rows of A.
struct Panels<'a, T> {
    a: &'a [T],
    left: Left,
    b: &'a [T],
    sizes: [usize; 3],
    first: usize,
    out: &'a mut [T],
}

impl<T: Real> WithSimd for Panels<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match size_of::<T::Vector<S>>() {
            64.. => self.tiles::<S, 12, 2>(simd),
            _ => self.tiles::<S, 6, 2>(simd),
        }
    }
}

impl<T: Real> Panels<'_, T> {
    #[inline(always)]
    fn tiles<S: Simd, const M: usize, const V: usize>(self, simd: S) {
        let [_, k, n] = self.sizes;
        let (lanes, rows) = (T::lanes::<S>(), self.out.len() / n);
        let width = V * lanes;
        let mut blocks = Buffer::new(rows.div_ceil(M) * DEPTH.min(k) * M);
        let mut panel = Buffer::new(DEPTH.min(k) * width);
        for from in (0..k).step_by(DEPTH) {
            let depth = DEPTH.min(k - from);
            let (blocks, panel) = (&mut blocks[..rows.div_ceil(M) * depth * M], &mut panel[..depth * width]);
            for (block, to) in blocks.chunks_exact_mut(depth * M).enumerate() {
                self.pack::<M>(self.first + block * M, from, to.as_chunks_mut().0);
            }
            let blocks = blocks.as_chunks::<M>().0;
            for at in (0..n).step_by(width) {
                let count = width.min(n - at);
                for (c, to) in panel.chunks_exact_mut(width).enumerate() {
                    let row = &self.b[(from + c) * n + at..][..count];
                    match T::vectors::<S>(row).first_chunk::<V>() {
                        Some(row) => T::vectors_mut::<S>(to).copy_from_slice(row),
                        None => to[..count].copy_from_slice(row),
                    }
                }
                let panel = T::vectors::<S>(panel).as_chunks::<V>().0;
                for (block, out) in blocks.chunks_exact(depth).zip(self.out.chunks_mut(M * n)) {
                    let sums = outer_products(simd, panel.iter(), block, [[T::splat(simd, T::default()); V]; M]);
                    for (out, sums) in out.chunks_exact_mut(n).zip(&sums) {
                        for (out, &sum) in out[at..at + count].chunks_mut(lanes).zip(sums) {
                            match T::vectors_mut::<S>(out) {
                                [out] => *out = if from > 0 { T::plus(simd, *out, sum) } else { sum },
                                _ => out.iter_mut().zip(T::numbers::<S>(&sum)).for_each(|(out, &x)| *out += x),
                            }
                        }
                    }
                }
            }
        }
    }

    /// M rows of A from a column on, one column after the other; what lies beyond the last row may be anything.
    #[inline(always)]
    fn pack<const M: usize>(&self, row: usize, from: usize, to: &mut [[T; M]]) {
        let [m, k, _] = self.sizes;
        match self.left {
            Left::Rows => {
                let depth = to.len();
                let rows: [&[T]; M] = std::array::from_fn(|i| &self.a[(row + i).min(m - 1) * k + from..][..depth]);
                for (c, to) in to.iter_mut().enumerate() {
                    *to = rows.map(|row| row[c]);
                }
            }
            Left::Columns => {
                for (c, to) in to.iter_mut().enumerate() {
                    let column = &self.a[(from + c) * m + row..];
                    match column.first_chunk() {
                        Some(column) => *to = *column,
                        None => to[..column.len()].copy_from_slice(column),
                    }
                }
            }
        }
    }
}

/// Some rows of a product of rows: they become vectors, and so does what lies below one another in the product, until some of its columns are
/// done.
struct RowPanels<'a, T> {
    a: &'a [T],
    b: &'a [T],
    /// [k, n].
    sizes: [usize; 2],
    out: &'a mut [T],
}

impl<T: Real> WithSimd for RowPanels<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match size_of::<T::Vector<S>>() {
            64.. => self.tiles::<S, 12, 2>(simd),
            _ => self.tiles::<S, 6, 2>(simd),
        }
    }
}

impl<T: Real> RowPanels<'_, T> {
    #[inline(always)]
    fn tiles<S: Simd, const M: usize, const V: usize>(self, simd: S) {
        let Self { a, b, sizes: [k, n], out } = self;
        let (width, rows) = (V * T::lanes::<S>(), out.len() / n);
        let count = rows.div_ceil(width);
        let mut panels = Buffer::new(count * k * width);
        for (panel, to) in panels.chunks_exact_mut((k * width).max(1)).enumerate() {
            for (strip, to) in to.chunks_mut(LINE * width).enumerate() {
                for i in 0..width.min(rows - panel * width) {
                    let row = &a[(panel * width + i) * k + strip * LINE..][..to.len() / width];
                    to[i..].iter_mut().step_by(width).zip(row).for_each(|(to, &x)| *to = x);
                }
            }
        }
        let panels = T::vectors::<S>(&panels).as_chunks::<V>().0;
        let mut below = Buffer::new(COLUMNS * count * width);
        // Rows of B, a line apart from a power of two.
        let mut mine = Buffer::new(M * (DEPTH + LINE));
        for start in (0..n).step_by(COLUMNS) {
            below.fill(T::default());
            let end = n.min(start + COLUMNS);
            for from in (0..k).step_by(DEPTH) {
                let depth = DEPTH.min(k - from);
                let blocks = below.chunks_exact_mut(M * count * width).zip((start..end).step_by(M));
                for (below, at) in blocks {
                    for (j, to) in mine.chunks_exact_mut(DEPTH + LINE).enumerate() {
                        to[..depth].copy_from_slice(&b[(at + j).min(n - 1) * k + from..][..depth]);
                    }
                    let x: [&[T]; M] = std::array::from_fn(|j| &mine[j * (DEPTH + LINE)..][..depth]);
                    let below = T::vectors_mut::<S>(below).as_chunks_mut::<V>().0;
                    for panel in 0..count {
                        let sums = std::array::from_fn(|j| below[j * count + panel]);
                        let sums = inner_products(simd, x, &panels[panel * k + from..][..depth], sums);
                        sums.iter().enumerate().for_each(|(j, sums)| below[j * count + panel] = *sums);
                    }
                }
            }
            for (i, out) in out.chunks_exact_mut(n).enumerate() {
                let (out, sums) = (&mut out[start..end], below[i..].iter().step_by(count * width));
                out.iter_mut().zip(sums).for_each(|(out, &sum)| *out = sum);
            }
        }
    }
}
