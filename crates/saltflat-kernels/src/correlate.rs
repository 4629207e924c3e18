//! The value of a convolution and the gradient with respect to its input: sums over channels and kernel entries at each
//! position.
//!
//! A tile of M positions and V vectors of output channels stays in registers while all channels and kernel entries pass. Nothing
//! is unfolded: a kernel entry is a shift in the padded image, whose channels are innermost.

use pulp::{Simd, WithSimd};

use crate::{Real, blocked::Blocked, tasks::each_chunk, flat, window::{Sizes, Sliding}, winograd::Winograd};

/// Positions of the output that a task should have, so that weights are read often enough for what they cost to fetch.
const POSITIONS: usize = 96;

/// An entry of the kernel and where it reads, counted from a position's first.
struct Tap {
    entry: usize,
    shift: usize,
}

/// Where a position of the output reads first, and where it is written: in positions of one image, then, in a plan, in numbers
/// of a task's images.
#[derive(Clone, Copy)]
struct Position {
    read: usize,
    write: usize,
}

/// Positions of the output with the same entries of the kernel.
struct Grid {
    taps: Vec<Tap>,
    positions: Vec<Position>,
}

/// A convolution from `source` to `[outputs, positions]`, for some images at once.
struct Plan {
    source: Blocked,
    outputs: usize,
    positions: usize,
    /// Images of a task.
    together: usize,
    grids: Vec<Grid>,
}

impl Plan {
    /// The value, from images of the input.
    fn value(sizes: &Sizes, block: usize) -> Self {
        let (window, [h, w]) = (sizes.window, sizes.output());
        let padded = [sizes.height + 2 * window.padding, sizes.width + 2 * window.padding];
        let source = Blocked {
            channels: sizes.inputs,
            height: sizes.height,
            width: sizes.width,
            before: window.padding,
            padded,
            block,
        };
        let taps = (0..window.area())
            .map(|entry| Tap { entry, shift: entry / window.kernel * padded[1] + entry % window.kernel });
        let positions = (0..h * w).map(|p| Position { read: (p / w * padded[1] + p % w) * window.stride, write: p });
        let grids = vec![Grid { taps: taps.collect(), positions: positions.collect() }];
        Self::new(source, sizes.outputs, h * w, grids)
    }

    /// The gradient with respect to the input, from images of the output's cotangent: ∂/∂x at (y, x) is the sum over the kernel
    /// entries k with (y + padding − k) divisible by the stride. Positions with the same remainder have the same entries.
    fn input_gradient(sizes: &Sizes, block: usize) -> Self {
        let (window, [h, w]) = (sizes.window, sizes.output());
        let (kernel, stride, padding) = (window.kernel, window.stride, window.padding);
        let before = (kernel - 1) / stride;
        let side = |side: usize, out: usize| before + out.max((side.max(1) - 1 + padding) / stride + 1);
        let padded = [side(sizes.height, h), side(sizes.width, w)];
        let source = Blocked { channels: sizes.outputs, height: h, width: w, before, padded, block };
        let entries = |rest: usize| (rest..kernel).step_by(stride);
        let grids = (0..stride * stride).map(|rest| {
            let (ry, rx) = (rest / stride, rest % stride);
            let taps = entries(ry).flat_map(|ky| entries(rx).map(move |kx| (ky, kx))).map(|(ky, kx)| Tap {
                entry: ky * kernel + kx,
                shift: (before - (ky - ry) / stride) * padded[1] + before - (kx - rx) / stride,
            });
            let of = |side: usize, rest: usize| (0..side).filter(move |y| (y + padding) % stride == rest);
            let positions = of(sizes.height, ry).flat_map(|y| of(sizes.width, rx).map(move |x| (y, x)));
            let positions = positions.map(|(y, x)| Position {
                read: (y + padding) / stride * padded[1] + (x + padding) / stride,
                write: y * sizes.width + x,
            });
            Grid { taps: taps.collect(), positions: positions.collect() }
        });
        Self::new(source, sizes.inputs, sizes.height * sizes.width, grids.collect())
    }

    /// From grids of one image.
    fn new(source: Blocked, outputs: usize, positions: usize, mut grids: Vec<Grid>) -> Self {
        let together = POSITIONS.div_ceil(positions.max(1));
        for grid in &mut grids {
            let of_image = std::mem::take(&mut grid.positions);
            let at = |image: usize, p: &Position| Position {
                read: image * source.len() + p.read * source.block,
                write: image * outputs * positions + p.write,
            };
            grid.positions = (0..together).flat_map(|image| of_image.iter().map(move |p| at(image, p))).collect();
        }
        Self { source, outputs, positions, together, grids }
    }
}

/// W ∗ x `[images, outputs, h, w]` from x `[images, inputs, height, width]` and W `[outputs, inputs, kernel, kernel]`.
pub(crate) fn value<T: Real>(x: &[T], weight: &[T], bias: Option<&[T]>, sizes: &Sizes) -> Vec<T> {
    pulp::Arch::new().dispatch(Correlation { gradient: false, source: x, weight, bias, sizes })
}

/// The gradient with respect to x, of its shape, from that with respect to W ∗ x.
pub(crate) fn input_gradient<T: Real>(delta: &[T], weight: &[T], sizes: &Sizes) -> Vec<T> {
    pulp::Arch::new().dispatch(Correlation { gradient: true, source: delta, weight, bias: None, sizes })
}

struct Correlation<'a, T> {
    gradient: bool,
    source: &'a [T],
    weight: &'a [T],
    bias: Option<&'a [T]>,
    sizes: &'a Sizes,
}

impl<T: Real> WithSimd for Correlation<'_, T> {
    type Output = Vec<T>;

    /// A tile that fills the registers, of which the narrow one is for few channels.
    fn with_simd<S: Simd>(self, simd: S) -> Vec<T> {
        let lanes = T::lanes::<S>();
        let (source, weight) = (self.source, self.weight);
        if T::ROUGH && Winograd::applies(self.sizes) && lanes >= 4 {
            let tiles = Winograd::new(self.sizes, self.gradient);
            return match lanes {
                16.. => tiles.run::<T, S, 8, 2>(simd, source, weight, self.bias),
                _ => tiles.run::<T, S, 6, 2>(simd, source, weight, self.bias),
            };
        }
        if flat::applies(self.sizes) {
            let sizes = Sliding::new(self.sizes, self.gradient);
            return match lanes {
                8.. => flat::convolve::<T, S, 8, 2>(simd, source, weight, self.bias, &sizes),
                _ => flat::convolve::<T, S, 4, 2>(simd, source, weight, self.bias, &sizes),
            };
        }
        let outputs = if self.gradient { self.sizes.inputs } else { self.sizes.outputs };
        match lanes {
            _ if outputs <= lanes => self.run::<S, 8, 1>(simd),
            16.. => self.run::<S, 12, 2>(simd),
            4.. => self.run::<S, 6, 2>(simd),
            _ => self.run::<S, 3, 4>(simd),
        }
    }
}

impl<T: Real> Correlation<'_, T> {
    fn run<S: Simd, const M: usize, const V: usize>(self, simd: S) -> Vec<T> {
        let width = V * T::lanes::<S>();
        let plan = match self.gradient {
            false => Plan::value(self.sizes, width.max(16)),
            true => Plan::input_gradient(self.sizes, width.max(16)),
        };
        let packed = self.pack(&plan, width);
        let source = plan.source;
        let (image, out_image) = (source.channels * source.height * source.width, plan.outputs * plan.positions);
        let mut out = vec![T::default(); self.sizes.images * out_image];
        if out.is_empty() {
            return out;
        }
        let together = plan.together;
        each_chunk(
            &mut out,
            together * out_image,
            self.sizes.multiplications(),
            || vec![T::default(); together * source.len()],
            |blocked, task, out| {
                let images = out.len() / out_image;
                for (i, blocked) in blocked.chunks_exact_mut(source.len().max(1)).take(images).enumerate() {
                    source.fill(&self.source[(task * together + i) * image..][..image], blocked);
                }
                let task = Task::<T, M, V> { plan: &plan, packed: &packed, bias: self.bias, blocked, images, out };
                simd.vectorize(task);
            },
        );
        out
    }

    /// The weight as `[output blocks, input blocks, kernel entries, inputs of the block, width]`.
    fn pack(&self, plan: &Plan, width: usize) -> Vec<T> {
        let (area, inputs, outputs) = (self.sizes.window.area(), plan.source.channels, plan.outputs);
        let mut packed = vec![T::default(); outputs.div_ceil(width) * inputs * area * width];
        if packed.is_empty() {
            return packed;
        }
        // In the weight as it is stored.
        let (of_output, of_input) = if self.gradient { (area, outputs * area) } else { (inputs * area, area) };
        let block = plan.source.block;
        let work = 4 * packed.len();
        each_chunk(
            &mut packed,
            inputs * area * width,
            work,
            || (),
            |(), index, packed| {
                let first = index * width;
                for (b, packed) in packed.chunks_mut(block * area * width).enumerate() {
                    let depth = block.min(inputs - b * block);
                    for o in 0..width.min(outputs - first) {
                        for i in 0..depth {
                            let entries = &self.weight[(first + o) * of_output + (b * block + i) * of_input..][..area];
                            let packed = packed[i * width + o..].iter_mut().step_by(depth * width);
                            for (packed, &entry) in packed.zip(entries) {
                                *packed = entry;
                            }
                        }
                    }
                }
            },
        );
        packed
    }
}

/// Some images of one plan.
struct Task<'a, T, const M: usize, const V: usize> {
    plan: &'a Plan,
    packed: &'a [T],
    bias: Option<&'a [T]>,
    blocked: &'a [T],
    images: usize,
    out: &'a mut [T],
}

impl<T: Real, const M: usize, const V: usize> WithSimd for Task<'_, T, M, V> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { plan, packed, bias, blocked, images, out } = self;
        let width = V * T::lanes::<S>();
        let (source, outputs) = (plan.source, plan.outputs);
        let area = packed.len() / (outputs.div_ceil(width) * source.channels * width).max(1);
        let packed = T::vectors::<S>(packed).as_chunks::<V>().0;
        let mut found = vec![T::default(); M * width];
        for index in 0..outputs.div_ceil(width) {
            let packed = &packed[index * source.channels * area..][..source.channels * area];
            let first = index * width;
            let count = width.min(outputs - first);
            for grid in &plan.grids {
                let positions = &grid.positions[..grid.positions.len() / plan.together * images];
                for at in positions.chunks(M) {
                    let valid = at.len();
                    let at: [Position; M] = std::array::from_fn(|i| at[i.min(valid - 1)]);
                    let mut sums = [[T::splat(simd, T::default()); V]; M];
                    let mut rows = 0;
                    for b in 0..source.blocks() {
                        let depth = source.depth(b);
                        for tap in &grid.taps {
                            let shift = (b * source.positions() + tap.shift) * source.block;
                            let x: [&[T]; M] = std::array::from_fn(|i| &blocked[at[i].read + shift..][..depth]);
                            sums = tile(simd, x, &packed[rows + tap.entry * depth..][..depth], sums);
                        }
                        rows += area * depth;
                    }
                    for (found, sums) in T::vectors_mut::<S>(&mut found).as_chunks_mut::<V>().0.iter_mut().zip(sums) {
                        *found = sums;
                    }
                    for o in 0..count {
                        let offset = bias.map_or_else(T::default, |bias| bias[first + o]);
                        let out = &mut out[(first + o) * plan.positions..];
                        for (found, at) in found.chunks_exact(width).zip(&at[..valid]) {
                            let mut sum = found[o];
                            sum += offset;
                            out[at.write] = sum;
                        }
                    }
                }
            }
        }
    }
}

/// sums[i][j] += Σ_c x[i][c] w[c][j].
#[inline(always)]
fn tile<S: Simd, T: Real, const M: usize, const V: usize>(
    simd: S,
    x: [&[T]; M],
    weight: &[[T::Vector<S>; V]],
    mut sums: [[T::Vector<S>; V]; M],
) -> [[T::Vector<S>; V]; M] {
    let depth = weight.len();
    let x = x.map(|x| &x[..depth]);
    for (c, weight) in weight.iter().enumerate() {
        for (x, sums) in x.iter().zip(&mut sums) {
            let x = T::splat(simd, x[c]);
            for (sum, &weight) in sums.iter_mut().zip(weight) {
                *sum = T::multiply_add(simd, x, weight, *sum);
            }
        }
    }
    sums
}
