//! The value of a convolution and the gradient with respect to its input: sums over channels and kernel entries.

use pulp::{Simd, WithSimd};

use super::layout::{Planes, copy_row, planes};
use crate::{
    buffer::Buffer,
    conv::window::Sliding,
    simd::Real,
    tasks::{each_chunk, each_chunk_with, zeros},
};

/// W ∗ x + b, or the gradient with respect to the input.
pub(crate) fn correlate<T: Real, S: Simd, const M: usize, const V: usize>(
    simd: S,
    source: &[T],
    weight: &[T],
    bias: Option<&[T]>,
    sizes: &Sliding,
) -> Vec<T> {
    let [from, to] = planes(sizes, V * T::lanes::<S>());
    let (area, [image, out_image]) = (sizes.kernel * sizes.kernel, sizes.image());
    let blocks = sizes.outputs.div_ceil(M);
    // [output blocks, inputs, kernel entries, M]; what is left of the last block is not set.
    let mut packed = Buffer::new(blocks * sizes.inputs * area * M);
    let work = 4 * packed.len();
    let pack = |block: usize, packed: &mut [T]| {
        for o in 0..M.min(sizes.outputs - block * M) {
            for c in 0..sizes.inputs {
                let (start, at) = sizes.entries(block * M + o, c);
                for k in 0..area {
                    packed[(c * area + k) * M + o] = weight[start + at(k)];
                }
            }
        }
    };
    each_chunk(&mut packed, sizes.inputs * area * M, work, pack);
    let mut out = zeros(sizes.images * out_image);
    let work = sizes.images * out_image * sizes.inputs * area;
    let scratch = || (vec![T::default(); sizes.inputs * from.len], vec![T::default(); blocks * M * to.len]);
    each_chunk_with(&mut out, out_image, work, scratch, |(x, y), i, out| {
        let image = &source[i * image..][..image];
        simd.vectorize(Image::<T, M, V> { sizes, planes: [from, to], image, packed: &packed, bias, x, y, out });
    });
    out
}

/// One image.
struct Image<'a, T, const M: usize, const V: usize> {
    sizes: &'a Sliding,
    planes: [Planes; 2],
    image: &'a [T],
    packed: &'a [T],
    bias: Option<&'a [T]>,
    x: &'a mut [T],
    y: &'a mut [T],
    out: &'a mut [T],
}

impl<T: Real, const M: usize, const V: usize> WithSimd for Image<'_, T, M, V> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { sizes, planes: [from, to], image, packed, bias, x, y, out } = self;
        from.fill(image, x);
        let (kernel, step) = (sizes.kernel, V * T::lanes::<S>());
        let packed = packed.as_chunks::<M>().0;
        let of_block = sizes.inputs * kernel * kernel;
        for start in (0..to.len).step_by(step) {
            for (block, y) in y.chunks_exact_mut(M * to.len).enumerate() {
                let mut sums = [[T::splat(simd, T::default()); V]; M];
                let mut weights = packed[block * of_block..][..of_block].iter();
                for c in 0..sizes.inputs {
                    for ky in 0..kernel {
                        let row = &x[c * from.len + start + ky * from.pitch..][..step + kernel - 1];
                        for (kx, weight) in (0..kernel).zip(&mut weights) {
                            let x: [_; V] = *T::vectors::<S>(&row[kx..kx + step]).first_chunk().expect("V vectors");
                            for (sums, &weight) in sums.iter_mut().zip(weight) {
                                let weight = T::splat(simd, weight);
                                for (sum, x) in sums.iter_mut().zip(x) {
                                    *sum = T::multiply_add(simd, weight, x, *sum);
                                }
                            }
                        }
                    }
                }
                for (y, sums) in y.chunks_exact_mut(to.len).zip(&sums) {
                    T::vectors_mut::<S>(&mut y[start..start + step]).copy_from_slice(sums);
                }
            }
        }
        for (o, (out, y)) in out.chunks_exact_mut(sizes.h * sizes.w).zip(y.chunks_exact(to.len)).enumerate() {
            for (out, y) in out.chunks_exact_mut(sizes.w).zip(y.chunks(to.pitch)) {
                match bias {
                    Some(bias) => {
                        for (out, &y) in out.iter_mut().zip(y) {
                            *out = y + bias[o];
                        }
                    }
                    None => copy_row(&y[..sizes.w], out),
                }
            }
        }
    }
}
