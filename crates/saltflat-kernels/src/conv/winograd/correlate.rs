//! The value of a convolution and the gradient with respect to its input: sums over channels, with tiles innermost.

use pulp::{Simd, WithSimd};

use super::{
    images::{Scratch, images_per_task, runs, tiles, transform_input_tiles, transform_output_tiles},
    transforms::{ENTRIES, transform_kernel},
};
use crate::{
    buffer::Buffer,
    conv::window::Sliding,
    simd::Real,
    tasks::{each_chunk, each_chunk_with, zeros},
    tile::outer_products,
};

/// W ∗ x + b.
pub(crate) fn correlate<T: Real, S: Simd, const M: usize, const V: usize>(
    simd: S,
    source: &[T],
    weight: &[T],
    bias: Option<&[T]>,
    sizes: &Sliding,
) -> Vec<T> {
    let packed = transform_kernels::<T, M>(sizes, weight);
    let ([image, out_image], tiles) = (sizes.image(), tiles(sizes));
    let mut out = zeros(sizes.images * out_image);
    let images_per_task = images_per_task(sizes, T::lanes::<S>());
    let work = 4 * sizes.images * tiles * sizes.inputs * sizes.outputs;
    each_chunk_with(
        &mut out,
        images_per_task * out_image,
        work,
        || Scratch::new(sizes, V * T::lanes::<S>(), T::lanes::<S>(), M),
        |scratch, task, out| {
            let source = &source[task * images_per_task * image..][..out.len() / out_image * image];
            simd.vectorize(Task::<T, M, V> { sizes, source, packed: &packed, bias, scratch, out });
        },
    );
    out
}

/// G g Gᵀ of every kernel as `[output blocks, entries, inputs, M]`.
fn transform_kernels<T: Real, const M: usize>(sizes: &Sliding, weight: &[T]) -> Buffer<T> {
    let Sliding { inputs, outputs, .. } = *sizes;
    let size = ENTRIES * inputs * M;
    let mut out = Buffer::new(outputs.div_ceil(M) * size);
    let work = out.len();
    let arch = pulp::Arch::new();
    each_chunk(&mut out, size, work, |block, out| {
        let first = block * M;
        let count = M.min(outputs - first);
        arch.dispatch(
            #[inline(always)]
            || {
                for c in 0..inputs {
                    let mut kernels = [[T::default(); M]; 9];
                    for o in 0..count {
                        let (start, at) = sizes.entries(first + o, c);
                        let kernel: &[T; 9] = weight[start..].first_chunk().expect("nine entries");
                        for (k, kernels) in kernels.iter_mut().enumerate() {
                            kernels[o] = kernel[at(k)];
                        }
                    }
                    let [a, b, c0, d, e, f, g, h, i] = kernels;
                    let rows = [transform_kernel([a, b, c0]), transform_kernel([d, e, f]), transform_kernel([g, h, i])];
                    for j in 0..4 {
                        for (i, entry) in transform_kernel([rows[0][j], rows[1][j], rows[2][j]]).iter().enumerate() {
                            out[((4 * i + j) * inputs + c) * M..][..M].copy_from_slice(entry);
                        }
                    }
                }
            },
        );
    });
    out
}

/// Some images.
struct Task<'a, T: Real, const M: usize, const V: usize> {
    sizes: &'a Sliding,
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
        let Self { sizes, source, packed, bias, scratch, out } = self;
        let (lanes, width) = (T::lanes::<S>(), V * T::lanes::<S>());
        let images = out.len() / sizes.image()[1];
        let count = images * tiles(sizes);
        let group = scratch.panels * width;
        for first in (0..count).step_by(group) {
            let end = (first + group).min(count);
            let runs = runs(sizes, images, first..end, width, lanes);
            transform_input_tiles::<S, T>(simd, sizes, source, &runs, scratch);
            multiply::<S, T, M, V>(simd, sizes, packed, scratch, (end - first).div_ceil(width));
            transform_output_tiles::<S, T>(simd, sizes, bias, &runs, scratch, out);
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
                let x =
                    &scratch.inputs[(entry * scratch.panels + panel) * scratch.sizes[0]..][..inputs * scratch.width];
                let x = T::vectors::<S>(x).as_chunks::<V>().0;
                let out = &mut products[(panel * ENTRIES + entry) * blocks + block];
                *out = outer_products(simd, x.iter(), weight, [[T::splat(simd, T::default()); V]; M]);
            }
        }
    }
}
