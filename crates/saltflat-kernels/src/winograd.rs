//! Winograd's F(2 × 2, 3 × 3): a 3 × 3 convolution of stride 1 with 16 multiplications for four positions instead of 36.
//!
//! Y = Aᵀ (Σ_c (G g Gᵀ) ⊙ (Bᵀ d B)) A for a tile of 2 × 2 outputs, its 4 × 4 inputs d and the kernel g of each input channel c. Of
//! the 16 entries of a tile each is a matrix product of its own, channels by tiles; everything is computed with tiles innermost, as
//! they lie in the images. The factors of A and B are 0 and ±1, those of G are 0, ½ and 1.
//!
//! Source: Lavin and Gray 2016, Fast algorithms for convolutional neural networks.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use crate::{Real, buffer::Buffer, tasks::each_chunk, weight_gradient::outer, window::{Sizes, Sliding}};

/// Entries of a transformed tile.
pub(crate) const ENTRIES: usize = 16;

/// A convolution in tiles.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Winograd(Sliding);

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
struct Segment {
    image: usize,
    runs: Vec<Run>,
}

impl Winograd {
    /// Whether it serves a convolution and its gradients.
    pub(crate) fn applies(sizes: &Sizes) -> bool {
        sizes.window.kernel == 3 && Sliding::fits(sizes) && sizes.inputs.min(sizes.outputs) >= 32
    }

    /// The value, or the gradient with respect to the input.
    pub(crate) fn new(sizes: &Sizes, gradient: bool) -> Self {
        Self(Sliding::new(sizes, gradient))
    }

    fn columns(&self) -> usize {
        self.0.w.div_ceil(2)
    }

    /// Tiles of an image.
    fn tiles(&self) -> usize {
        self.0.h.div_ceil(2) * self.columns()
    }

    /// Those of a task's tiles that are in `group`, in panels of `width`.
    fn segments(&self, group: Range<usize>, width: usize) -> Vec<Segment> {
        let (columns, tiles) = (self.columns(), self.tiles());
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

    /// G g Gᵀ of every kernel as `[output blocks, entries, inputs, M]`.
    fn transform_weight<T: Real, const M: usize>(&self, weight: &[T]) -> Buffer<T> {
        let Sliding { inputs, outputs, .. } = self.0;
        let size = ENTRIES * inputs * M;
        let mut out = Buffer::new(outputs.div_ceil(M) * size);
        let work = out.len();
        let arch = pulp::Arch::new();
        each_chunk(
            &mut out,
            size,
            work,
            || (),
            |(), block, out| {
                let first = block * M;
                let count = M.min(outputs - first);
                arch.dispatch(
                    #[inline(always)]
                    || {
                        for c in 0..inputs {
                            let mut kernels = [[T::default(); M]; 9];
                            for o in 0..count {
                                let (start, at) = self.0.entries(first + o, c);
                                let kernel: &[T; 9] = weight[start..].first_chunk().expect("nine entries");
                                for (k, kernels) in kernels.iter_mut().enumerate() {
                                    kernels[o] = kernel[at(k)];
                                }
                            }
                            let [a, b, c0, d, e, f, g, h, i] = kernels;
                            let rows = [three([a, b, c0]), three([d, e, f]), three([g, h, i])];
                            for j in 0..4 {
                                for (i, entry) in three([rows[0][j], rows[1][j], rows[2][j]]).iter().enumerate() {
                                    out[((4 * i + j) * inputs + c) * M..][..M].copy_from_slice(entry);
                                }
                            }
                        }
                    },
                );
            },
        );
        out
    }

    /// W ∗ x + b.
    pub(crate) fn run<T: Real, S: Simd, const M: usize, const V: usize>(
        self,
        simd: S,
        source: &[T],
        weight: &[T],
        bias: Option<&[T]>,
    ) -> Vec<T> {
        let packed = self.transform_weight::<T, M>(weight);
        let (sizes, [image, out_image]) = (self.0, self.0.image());
        let mut out = vec![T::default(); sizes.images * out_image];
        let together = (TILES / self.tiles().max(1)).max(1);
        let work = 4 * sizes.images * self.tiles() * sizes.inputs * sizes.outputs;
        each_chunk(
            &mut out,
            together * out_image,
            work,
            || Scratch::new(&self, V * T::lanes::<S>(), T::lanes::<S>(), M),
            |scratch, task, out| {
                let source = &source[task * together * image..];
                simd.vectorize(Task::<T, M, V> { tiles: &self, source, packed: &packed, bias, scratch, out });
            },
        );
        out
    }
}

/// Tiles of a task: many, so that little of its last panel is empty.
const TILES: usize = 64;

/// Numbers of a group of panels, which should stay in the second-level cache.
const GROUP: usize = 1 << 19;

/// What a thread keeps between tasks.
struct Scratch<T> {
    /// The rows of one channel that a panel needs, padded, `[rows, 2, pitch]`: even columns, then odd ones.
    rows: Vec<T>,
    pitch: usize,
    /// Bᵀ d B `[entries, panels, inputs, tiles]`.
    inputs: Vec<T>,
    /// `[panels, entries, outputs, tiles]`.
    products: Vec<T>,
    panels: usize,
    /// Tiles of a panel.
    width: usize,
    /// Numbers of one entry and panel in `inputs`, and in `products`.
    sizes: [usize; 2],
}

impl<T: Real> Scratch<T> {
    fn new(tiles: &Winograd, panel: usize, lanes: usize, block: usize) -> Self {
        let (sizes, pitch) = (tiles.0, tiles.columns().next_multiple_of(lanes) + 2);
        let numbers = |count: usize| vec![T::default(); count];
        // Vectors are read and written beyond the last tile of a row.
        let of = [sizes.inputs * panel + lanes, sizes.outputs.next_multiple_of(block) * panel];
        let panels = (GROUP / (ENTRIES * of[0])).clamp(1, TILES.div_ceil(panel));
        Self {
            rows: numbers((2 * sizes.h.div_ceil(2) + 2) * 2 * pitch + lanes),
            pitch,
            inputs: numbers(ENTRIES * panels * of[0]),
            products: numbers(panels * ENTRIES * of[1] + lanes),
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

/// Some images.
struct Task<'a, T, const M: usize, const V: usize> {
    tiles: &'a Winograd,
    source: &'a [T],
    packed: &'a [T],
    bias: Option<&'a [T]>,
    scratch: &'a mut Scratch<T>,
    out: &'a mut [T],
}

impl<T: Real, const M: usize, const V: usize> WithSimd for Task<'_, T, M, V> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { tiles, source, packed, bias, scratch, out } = self;
        let (sizes, width) = (&tiles.0, V * T::lanes::<S>());
        let count = out.len() / sizes.image()[1] * tiles.tiles();
        let group = scratch.panels * width;
        for first in (0..count).step_by(group) {
            let end = (first + group).min(count);
            let segments = tiles.segments(first..end, width);
            transform_input::<S, T>(simd, sizes, source, &segments, width, scratch);
            multiply::<S, T, M, V>(simd, sizes, packed, scratch, (end - first).div_ceil(width));
            transform_output::<S, T>(simd, sizes, bias, &segments, scratch, out);
        }
    }
}

/// G g, of M kernels.
#[inline(always)]
fn three<T: Real, const M: usize>(g: [[T; M]; 3]) -> [[T; M]; 4] {
    let half = T::of(0.5);
    let mut out = [g[0], g[0], g[0], g[2]];
    for m in 0..M {
        let (sum, middle) = (half * (g[0][m] + g[2][m]), half * g[1][m]);
        (out[1][m], out[2][m]) = (sum + middle, sum - middle);
    }
    out
}

/// Bᵀ d.
#[inline(always)]
pub(crate) fn four<S: Simd, T: Real>(simd: S, d: [T::Vector<S>; 4]) -> [T::Vector<S>; 4] {
    [T::minus(simd, d[0], d[2]), T::plus(simd, d[1], d[2]), T::minus(simd, d[2], d[1]), T::minus(simd, d[1], d[3])]
}

/// Aᵀ m.
#[inline(always)]
fn two<S: Simd, T: Real>(simd: S, m: [T::Vector<S>; 4]) -> [T::Vector<S>; 2] {
    let (sum, difference) = (T::plus(simd, m[1], m[2]), T::minus(simd, m[1], m[2]));
    [T::plus(simd, m[0], sum), T::minus(simd, difference, m[3])]
}

/// Bᵀ d B of a panel.
#[inline(always)]
fn transform_input<S: Simd, T: Real>(
    simd: S,
    sizes: &Sliding,
    source: &[T],
    segments: &[Segment],
    width: usize,
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
                    let to = run.panel * scratch.sizes[0] + c * width + run.at + k;
                    for j in 0..4 {
                        for (i, entry) in four::<S, T>(simd, [rows[0][j], rows[1][j], rows[2][j], rows[3][j]]).into_iter().enumerate() {
                            let to = (4 * i + j) * of_entry + to;
                            T::vectors_mut::<S>(&mut scratch.inputs[to..][..lanes])[0] = entry;
                        }
                    }
                }
            }
        }
    }
}

/// The products of a group of panels, one matrix product for each entry.
#[inline(always)]
fn multiply<S: Simd, T: Real, const M: usize, const V: usize>(
    simd: S,
    sizes: &Sliding,
    packed: &[T],
    scratch: &mut Scratch<T>,
    panels: usize,
) {
    let inputs = sizes.inputs;
    let packed = packed.as_chunks::<M>().0;
    let products = T::vectors_mut::<S>(&mut scratch.products).as_chunks_mut::<V>().0.as_chunks_mut::<M>().0;
    let blocks = sizes.outputs.div_ceil(M);
    for entry in 0..ENTRIES {
        for block in 0..blocks {
            let weight = &packed[(block * ENTRIES + entry) * inputs..][..inputs];
            for panel in 0..panels {
                let x = &scratch.inputs[(entry * scratch.panels + panel) * scratch.sizes[0]..][..inputs * scratch.width];
                let x = T::vectors::<S>(x).as_chunks::<V>().0;
                let out = &mut products[(panel * ENTRIES + entry) * blocks + block];
                *out = outer(simd, x.iter(), weight, [[T::splat(simd, T::default()); V]; M]);
            }
        }
    }
}

/// Aᵀ m A of a panel.
#[inline(always)]
fn transform_output<S: Simd, T: Real>(
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
                        let [a, b] = two::<S, T>(simd, [columns[0][i], columns[1][i], columns[2][i], columns[3][i]]);
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
