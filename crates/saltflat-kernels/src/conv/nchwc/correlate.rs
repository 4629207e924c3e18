//! The value of a convolution and the gradient with respect to its input: sums over channels and kernel entries at each
//! position.
//!
//! A tile of M positions and V vectors of output channels stays in registers while all channels and kernel entries pass. Nothing
//! is unfolded: a kernel entry is a shift in the padded image, whose channels are innermost.

use std::collections::BTreeMap;

use pulp::{Simd, WithSimd};

use super::layout::Nchwc;
use crate::{
    buffer::Buffer,
    conv::window::Sizes,
    simd::Real,
    tasks::{each_chunk, each_chunk_with, zeros},
    tile::inner_products,
};

/// Positions of the output that a task should have, so that weights are read often enough for what they cost to fetch.
const POSITIONS: usize = 96;

/// An entry of the kernel and the place that it reads in the padded image, counted from a position's first row and column.
struct Tap {
    entry: usize,
    at: [usize; 2],
}

/// A position of the output: the row and column of the padded image that it reads first, and the place that it is written to.
struct Place {
    at: [usize; 2],
    write: usize,
}

/// A position of the output: the first number that it reads, and the number that it is written to, among those of a task's images.
#[derive(Clone, Copy)]
struct Position {
    read: usize,
    write: usize,
}

/// Positions of the output with the same entries of the kernel, and how far from a position's first each reads.
struct Grid {
    taps: Vec<(usize, usize)>,
    positions: Vec<Position>,
}

/// A convolution from `source` to `[outputs, positions]`, for some images at once.
struct Plan {
    source: Nchwc,
    outputs: usize,
    positions: usize,
    /// Images of a task.
    images_per_task: usize,
    grids: Vec<Grid>,
}

impl Plan {
    /// The value, from images of the input.
    fn value(sizes: &Sizes, block: usize) -> Self {
        let (window, [h, w]) = (sizes.window, sizes.output());
        let source = Nchwc::of_input(sizes, block);
        let taps = (0..window.area()).map(|entry| Tap { entry, at: [entry / window.kernel, entry % window.kernel] });
        let places = (0..h * w).map(|p| Place { at: [p / w, p % w].map(|at| at * window.stride), write: p });
        Self::new(source, sizes.outputs, h * w, vec![(taps.collect(), places.collect())])
    }

    /// The gradient with respect to the input, from images of the output's cotangent: ∂/∂x at (y, x) is the sum over the kernel
    /// entries k with (y + padding − k) divisible by the stride. Positions with the same remainder have the same entries.
    fn input_gradient(sizes: &Sizes, block: usize) -> Self {
        let (window, [h, w]) = (sizes.window, sizes.output());
        let (kernel, stride, padding) = (window.kernel, window.stride, window.padding);
        let before = (kernel - 1) / stride;
        let side = |side: usize, out: usize| before + out.max((side.max(1) - 1 + padding) / stride + 1);
        let padded = [side(sizes.height, h), side(sizes.width, w)];
        let source = Nchwc { channels: sizes.outputs, height: h, width: w, before, padded, block };
        let entries = |rest: usize| (rest..kernel).step_by(stride);
        let grids = (0..stride * stride).map(|rest| {
            let (ry, rx) = (rest / stride, rest % stride);
            let taps = entries(ry).flat_map(|ky| entries(rx).map(move |kx| (ky, kx))).map(|(ky, kx)| Tap {
                entry: ky * kernel + kx,
                at: [before - (ky - ry) / stride, before - (kx - rx) / stride],
            });
            let of = |side: usize, rest: usize| (0..side).filter(move |y| (y + padding) % stride == rest);
            let positions = of(sizes.height, ry).flat_map(|y| of(sizes.width, rx).map(move |x| (y, x)));
            let places = positions
                .map(|(y, x)| Place { at: [y, x].map(|at| (at + padding) / stride), write: y * sizes.width + x });
            (taps.collect(), places.collect())
        });
        Self::new(source, sizes.inputs, sizes.height * sizes.width, grids.collect())
    }

    /// From places of one image with the same entries of the kernel. In small images, of which a task has several, places that
    /// have the same entries in the padding leave those out.
    fn new(source: Nchwc, outputs: usize, positions: usize, places: Vec<(Vec<Tap>, Vec<Place>)>) -> Self {
        let images_per_task = if positions < POSITIONS { 16 } else { 1 };
        let inside = |place: &Place, tap: &Tap| {
            let [y, x] = [0, 1].map(|i| (place.at[i] + tap.at[i]).wrapping_sub(source.before));
            y < source.height && x < source.width
        };
        let linear = |[y, x]: [usize; 2]| (y * source.padded[1] + x) * source.block;
        let mut grids = Vec::new();
        for (taps, places) in places {
            let mut classes: BTreeMap<Vec<bool>, Vec<Place>> = BTreeMap::new();
            for place in places {
                let class = taps.iter().map(|tap| images_per_task == 1 || inside(&place, tap)).collect();
                classes.entry(class).or_default().push(place);
            }
            for (class, places) in classes {
                let taps =
                    taps.iter().zip(class).filter(|(_, inside)| *inside).map(|(tap, _)| (tap.entry, linear(tap.at)));
                let at = |image: usize, place: &Place| Position {
                    read: image * source.len() + linear(place.at),
                    write: image * outputs * positions + place.write,
                };
                let positions = (0..images_per_task).flat_map(|image| places.iter().map(move |place| at(image, place)));
                grids.push(Grid { taps: taps.collect(), positions: positions.collect() });
            }
        }
        Self { source, outputs, positions, images_per_task, grids }
    }
}

/// The value, from images of the input, or the gradient with respect to it, from images of the output's cotangent.
pub(crate) fn correlate<T: Real, S: Simd, const M: usize, const V: usize>(
    simd: S,
    gradient: bool,
    images: &[T],
    weight: &[T],
    bias: Option<&[T]>,
    sizes: &Sizes,
) -> Vec<T> {
    let width = V * T::lanes::<S>();
    let plan = match gradient {
        false => Plan::value(sizes, width.max(16)),
        true => Plan::input_gradient(sizes, width.max(16)),
    };
    let packed = pack(&plan, weight, gradient, sizes.window.area(), width);
    let source = plan.source;
    let (image, out_image) = (source.channels * source.height * source.width, plan.outputs * plan.positions);
    let mut out = zeros(sizes.images * out_image);
    if out.is_empty() {
        return out;
    }
    let images_per_task = plan.images_per_task;
    each_chunk_with(
        &mut out,
        images_per_task * out_image,
        sizes.multiplications(),
        || vec![T::default(); images_per_task * source.len()],
        |blocked, task, out| {
            let count = out.len() / out_image;
            for (i, blocked) in blocked.chunks_exact_mut(source.len().max(1)).take(count).enumerate() {
                source.fill(&images[(task * images_per_task + i) * image..][..image], blocked);
            }
            let task = Task::<T, M, V> { plan: &plan, packed: &packed, bias, blocked, images: count, out };
            simd.vectorize(task);
        },
    );
    out
}

/// The weight as `[output blocks, input blocks, kernel entries, inputs of the block, width]`.
fn pack<T: Real>(plan: &Plan, weight: &[T], gradient: bool, area: usize, width: usize) -> Buffer<T> {
    let (inputs, outputs) = (plan.source.channels, plan.outputs);
    let mut packed = Buffer::new(outputs.div_ceil(width) * inputs * area * width);
    if packed.is_empty() {
        return packed;
    }
    // In the weight as it is stored.
    let (of_output, of_input) = if gradient { (area, outputs * area) } else { (inputs * area, area) };
    let block = plan.source.block;
    let work = 4 * packed.len();
    each_chunk(&mut packed, inputs * area * width, work, |index, packed| {
        let first = index * width;
        for (b, packed) in packed.chunks_mut(block * area * width).enumerate() {
            let depth = block.min(inputs - b * block);
            for o in 0..width.min(outputs - first) {
                for i in 0..depth {
                    let entries = &weight[(first + o) * of_output + (b * block + i) * of_input..][..area];
                    let packed = packed[i * width + o..].iter_mut().step_by(depth * width);
                    for (packed, &entry) in packed.zip(entries) {
                        *packed = entry;
                    }
                }
            }
        }
    });
    packed
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
                let positions = &grid.positions[..grid.positions.len() / plan.images_per_task * images];
                for at in positions.chunks(M) {
                    let valid = at.len();
                    let at: [Position; M] = std::array::from_fn(|i| at[i.min(valid - 1)]);
                    let mut sums = [[T::splat(simd, T::default()); V]; M];
                    let mut rows = 0;
                    for b in 0..source.blocks() {
                        let depth = source.depth(b);
                        for &(entry, shift) in &grid.taps {
                            let shift = b * source.positions() * source.block + shift;
                            let x: [&[T]; M] = std::array::from_fn(|i| &blocked[at[i].read + shift..][..depth]);
                            sums = inner_products(simd, x, &packed[rows + entry * depth..][..depth], sums);
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
