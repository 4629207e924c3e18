//! The value of a convolution and the gradient with respect to its input for tiny images: vectors of images.
//!
//! A tile of M outputs and V vectors of images stays in registers at one position while channels and kernel entries pass. Entries
//! that read the padding are left out, and the weight is read as it is stored, which for tiny images is most of what there is to read.

use pulp::{Simd, WithSimd};

use super::window::Sizes;
use crate::{
    buffer::Buffer,
    simd::Real,
    tasks::{each_chunk, zeros},
};

/// What is summed for a position of the result: positions of the source, each with its entry of the kernel.
type Taps = Vec<(usize, usize)>;

/// A convolution `[inputs, positions, images]` → `[outputs, positions, images]`.
struct Plan {
    images: usize,
    inputs: usize,
    outputs: usize,
    /// Of each position of the result.
    taps: Vec<Taps>,
    /// Positions of the source.
    positions: usize,
    /// Entries of the kernel.
    area: usize,
    gradient: bool,
}

impl Plan {
    fn new(sizes: &Sizes, gradient: bool) -> Self {
        let (plane, under) = (sizes.height * sizes.width, sizes.window.pixels_under([sizes.height, sizes.width]));
        let (positions, area) = (under.len(), sizes.window.area());
        let mut taps = vec![Taps::new(); if gradient { plane } else { positions }];
        for (p, pixels) in under.iter().enumerate() {
            for (entry, q) in pixels.iter().enumerate().filter_map(|(entry, q)| Some((entry, (*q)?))) {
                let (to, from) = if gradient { (q, p) } else { (p, q) };
                taps[to].push((from, entry));
            }
        }
        let (images, inputs, outputs) = (sizes.images, sizes.inputs, sizes.outputs);
        match gradient {
            false => Self { images, inputs, outputs, taps, positions: plane, area, gradient },
            true => Self { images, inputs: outputs, outputs: inputs, taps, positions, area, gradient },
        }
    }
}

/// W ∗ x + b, or the gradient with respect to the input.
pub(crate) fn correlate<T: Real, S: Simd, const M: usize, const V: usize>(
    simd: S,
    gradient: bool,
    source: &[T],
    weight: &[T],
    bias: Option<&[T]>,
    sizes: &Sizes,
) -> Vec<T> {
    let plan = Plan::new(sizes, gradient);
    let width = V * T::lanes::<S>();
    let panels = plan.images.div_ceil(width);
    let image = plan.inputs * plan.positions;
    // [panels, inputs, positions, images of the panel]; what is left of the last panel is not set.
    let mut interleaved = Buffer::new(panels * image * width);
    let work = 4 * interleaved.len();
    each_chunk(&mut interleaved, image * width, work, |panel, out| {
        for (i, image) in source[panel * width * image..].chunks_exact(image).take(width).enumerate() {
            for (out, &x) in out.iter_mut().skip(i).step_by(width).zip(image) {
                *out = x;
            }
        }
    });
    // [outputs, positions, panels, images of the panel]
    let of_output = plan.taps.len() * panels * width;
    let mut sums = Buffer::new(plan.outputs.next_multiple_of(M) * of_output);
    let work = sizes.multiplications();
    each_chunk(&mut sums, M * of_output, work, |task, sums| {
        let task = Task::<T, M, V> { plan: &plan, interleaved: &interleaved, weight, first: task * M, sums };
        simd.vectorize(task);
    });
    let mut out = zeros(plan.images * plan.outputs * plan.taps.len());
    let work = 4 * out.len();
    each_chunk(&mut out, plan.outputs * plan.taps.len(), work, |i, out| {
        for (o, out) in out.chunks_exact_mut(plan.taps.len()).enumerate() {
            let offset = bias.map_or_else(T::default, |bias| bias[o]);
            let sums = sums[o * of_output + i..].iter().step_by(panels * width);
            for (out, &sum) in out.iter_mut().zip(sums) {
                *out = sum + offset;
            }
        }
    });
    out
}

/// M outputs.
struct Task<'a, T, const M: usize, const V: usize> {
    plan: &'a Plan,
    interleaved: &'a [T],
    weight: &'a [T],
    first: usize,
    sums: &'a mut [T],
}

impl<T: Real, const M: usize, const V: usize> WithSimd for Task<'_, T, M, V> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.plan.area {
            1 => self.sum::<S, 1>(simd),
            _ => self.sum::<S, 9>(simd),
        }
    }
}

impl<T: Real, const M: usize, const V: usize> Task<'_, T, M, V> {
    /// With A entries of the kernel.
    #[inline(always)]
    fn sum<S: Simd, const A: usize>(self, simd: S) {
        let Self { plan, interleaved, weight, first, sums } = self;
        let interleaved = T::vectors::<S>(interleaved).as_chunks::<V>().0;
        let sums = T::vectors_mut::<S>(sums).as_chunks_mut::<V>().0;
        let (of_panel, positions) = (plan.inputs * plan.positions, plan.taps.len());
        let panels = interleaved.len() / of_panel.max(1);
        let weight = weight.as_chunks::<A>().0;
        let last = plan.outputs - 1 - first;
        for (panel, x) in interleaved.chunks_exact(of_panel).enumerate() {
            for (p, taps) in plan.taps.iter().enumerate() {
                let zeros = [[T::splat(simd, T::default()); V]; M];
                let found = if !plan.gradient {
                    let rows: [&[[T; A]]; M] =
                        std::array::from_fn(|m| &weight[(first + m.min(last)) * plan.inputs..][..plan.inputs]);
                    products(simd, x, plan.positions, taps, |c| rows.map(|row| &row[c]), zeros)
                } else if last + 1 >= M {
                    let kernels = |c: usize| {
                        let kernels: &[[T; A]; M] =
                            weight[c * plan.outputs + first..].first_chunk().expect("M kernels");
                        kernels.each_ref()
                    };
                    products(simd, x, plan.positions, taps, kernels, zeros)
                } else {
                    let kernels = |c: usize| std::array::from_fn(|m| &weight[c * plan.outputs + first + m.min(last)]);
                    products(simd, x, plan.positions, taps, kernels, zeros)
                };
                for (m, found) in found.into_iter().enumerate() {
                    sums[(m * positions + p) * panels + panel] = found;
                }
            }
        }
    }
}

/// sums[m] += Σ over inputs c and taps of entry `tap.1` of kernel m of c times x `[inputs, positions]` at `tap.0`.
#[inline(always)]
fn products<'a, S: Simd, T: Real, const A: usize, const M: usize, const V: usize>(
    simd: S,
    x: &[[T::Vector<S>; V]],
    positions: usize,
    taps: &Taps,
    kernels: impl Fn(usize) -> [&'a [T; A]; M],
    mut sums: [[T::Vector<S>; V]; M],
) -> [[T::Vector<S>; V]; M] {
    for (c, x) in x.chunks_exact(positions).enumerate() {
        let kernels = kernels(c);
        for &(from, entry) in taps {
            let x = x[from];
            for (sums, kernel) in sums.iter_mut().zip(&kernels) {
                let weight = T::splat(simd, kernel[entry]);
                for (sum, x) in sums.iter_mut().zip(x) {
                    *sum = T::multiply_add(simd, weight, x, *sum);
                }
            }
        }
    }
    sums
}
