//! Convolutions of stride 1 with few channels: positions innermost, as they lie in the images.
//!
//! Padded rows lie one after the other, so an entry of the kernel is a shift of the whole image, the same for every position; what
//! is computed between two rows is dropped. A tile of M outputs and V vectors of positions stays in registers while inputs and
//! kernel entries pass; for the gradient with respect to the weight, M outputs and the K entries of a row of the kernel.

use pulp::{Simd, WithSimd};

use crate::{
    Real,
    pointwise::{over_rows, sum},
    tasks::each_chunk,
    window::{Sizes, Sliding},
};

/// Channels from which other kernels are faster.
const CHANNELS: usize = 32;

/// Sides from which what lies between rows is a small part.
const SIDE: usize = 8;

/// Tasks of a gradient with respect to the weight, at most.
const TASKS: usize = 16;

/// Positions that stay in the first-level cache while inputs and rows of the kernel pass.
const RESIDENT: usize = 512;

/// Whether these kernels serve a convolution and its gradients best.
pub(crate) fn applies(sizes: &Sizes) -> bool {
    let [_, w] = sizes.output();
    matches!(sizes.window.kernel, 1 | 3 | 5) && Sliding::fits(sizes) && sizes.inputs.min(sizes.outputs) < CHANNELS && w.min(sizes.width) >= SIDE
}

/// Padded planes, row by row.
#[derive(Clone, Copy)]
struct Planes {
    height: usize,
    width: usize,
    /// Zeros above and to the left.
    before: usize,
    pitch: usize,
    /// Numbers of a plane with what may be read beyond.
    len: usize,
}

impl Planes {
    /// Writes planes into a buffer, whose zeros it leaves alone.
    #[inline(always)]
    fn fill<T: Real>(&self, image: &[T], out: &mut [T]) {
        let planes = image.chunks_exact(self.height * self.width).zip(out.chunks_exact_mut(self.len));
        for (plane, out) in planes {
            let out = &mut out[(self.before * self.pitch + self.before)..];
            for (row, out) in plane.chunks_exact(self.width).zip(out.chunks_mut(self.pitch)) {
                out[..self.width].copy_from_slice(row);
            }
        }
    }
}

/// Planes of the image and of the result, with the positions that are computed rounded up to `step`.
fn planes(sizes: &Sliding, step: usize) -> [Planes; 2] {
    let Sliding { height, width, h, w, kernel, before, .. } = *sizes;
    let pitch = w + kernel - 1;
    let len = (h * pitch).next_multiple_of(step);
    let beyond = (kernel - 1) * (pitch + 1);
    [Planes { height, width, before, pitch, len: len + beyond }, Planes { height: h, width: w, before: 0, pitch, len }]
}

/// W ∗ x + b, or the gradient with respect to the input.
pub(crate) fn convolve<T: Real, S: Simd, const M: usize, const V: usize>(
    simd: S,
    source: &[T],
    weight: &[T],
    bias: Option<&[T]>,
    sizes: &Sliding,
) -> Vec<T> {
    let [from, to] = planes(sizes, V * T::lanes::<S>());
    let (area, [image, out_image]) = (sizes.kernel * sizes.kernel, sizes.image());
    let blocks = sizes.outputs.div_ceil(M);
    // [output blocks, inputs, kernel entries, M]
    let mut packed = vec![T::default(); blocks * sizes.inputs * area * M];
    for o in 0..sizes.outputs {
        for c in 0..sizes.inputs {
            let (start, at) = sizes.entries(o, c);
            for k in 0..area {
                packed[((o / M * sizes.inputs + c) * area + k) * M + o % M] = weight[start + at(k)];
            }
        }
    }
    let mut out = vec![T::default(); sizes.images * out_image];
    let work = sizes.images * out_image * sizes.inputs * area;
    let scratch = || (vec![T::default(); sizes.inputs * from.len], vec![T::default(); blocks * M * to.len]);
    each_chunk(&mut out, out_image, work, scratch, |(x, y), i, out| {
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
                    None => out.copy_from_slice(&y[..sizes.w]),
                }
            }
        }
    }
}

/// ∂/∂W from x and the cotangent of W ∗ x, of all images or of each by itself.
pub(crate) fn weight_gradient<T: Real, S: Simd, const M: usize, const K: usize>(
    simd: S,
    x: &[T],
    delta: &[T],
    sizes: &Sizes,
    of_each: bool,
) -> Vec<T> {
    let sizes = Sliding::new(sizes, false);
    let [image, cotangent] = sizes.image();
    let [from, to] = planes(&sizes, T::lanes::<S>());
    let n = sizes.outputs * sizes.inputs * K * K;
    let together = if of_each { 1 } else { sizes.images.div_ceil(TASKS).max(1) };
    let mut out = vec![T::default(); sizes.images.div_ceil(together) * n];
    let work = sizes.images * n * sizes.h * sizes.w;
    let rows = sizes.outputs.div_ceil(M);
    // [output blocks, inputs, kernel rows, M, K, lanes]
    let accumulators = rows * sizes.inputs * K * M * K * T::lanes::<S>();
    let scratch = || {
        [sizes.inputs * from.len, rows * M * to.len, accumulators].map(|numbers| vec![T::default(); numbers])
    };
    each_chunk(&mut out, n, work, scratch, |[a, b, sums], task, out| {
        sums.fill(T::default());
        for i in (task * together..sizes.images).take(together) {
            from.fill(&x[i * image..][..image], a);
            to.fill(&delta[i * cotangent..][..cotangent], b);
            simd.vectorize(Gradient::<T, M, K> { inputs: sizes.inputs, planes: [from, to], x: a, delta: b, sums });
        }
        let sums = sums.chunks_exact(T::lanes::<S>()).map(|lanes| sum(lanes));
        for (index, sum) in sums.enumerate() {
            let (kx, m, rest) = (index % K, index / K % M, index / K / M);
            let (ky, c, o) = (rest % K, rest / K % sizes.inputs, rest / K / sizes.inputs * M + m);
            if o < sizes.outputs {
                out[((o * sizes.inputs + c) * K + ky) * K + kx] = sum;
            }
        }
    });
    if of_each || out.len() == n { out } else { over_rows(&out, n) }
}

/// One image.
struct Gradient<'a, T, const M: usize, const K: usize> {
    inputs: usize,
    planes: [Planes; 2],
    x: &'a [T],
    delta: &'a [T],
    sums: &'a mut [T],
}

impl<T: Real, const M: usize, const K: usize> WithSimd for Gradient<'_, T, M, K> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { inputs, planes: [from, to], x, delta, sums } = self;
        let sums = T::vectors_mut::<S>(sums).as_chunks_mut::<K>().0.as_chunks_mut::<M>().0;
        for start in (0..to.len).step_by(RESIDENT) {
            let len = RESIDENT.min(to.len - start);
            for (delta, sums) in delta.chunks_exact(M * to.len).zip(sums.chunks_exact_mut(inputs * K)) {
                for (index, sums) in sums.iter_mut().enumerate() {
                    let first = index / K * from.len + index % K * from.pitch + start;
                    let mut shifted = [T::vectors::<S>(&[]); K];
                    for (kx, shifted) in shifted.iter_mut().enumerate() {
                        *shifted = T::vectors::<S>(&x[first + kx..][..len]);
                    }
                    let mut rows = [T::vectors::<S>(&[]); M];
                    for (m, row) in rows.iter_mut().enumerate() {
                        *row = T::vectors::<S>(&delta[m * to.len + start..][..len]);
                    }
                    *sums = products::<S, T, M, K>(simd, shifted, rows, *sums);
                }
            }
        }
    }
}

/// sums[i][j] += delta[i] x[j], vector by vector.
#[inline(always)]
fn products<S: Simd, T: Real, const M: usize, const K: usize>(
    simd: S,
    x: [&[T::Vector<S>]; K],
    delta: [&[T::Vector<S>]; M],
    mut sums: [[T::Vector<S>; K]; M],
) -> [[T::Vector<S>; K]; M] {
    let len = x[0].len();
    let (x, delta) = (x.map(|x| &x[..len]), delta.map(|delta| &delta[..len]));
    for at in 0..len {
        for (delta, sums) in delta.iter().zip(&mut sums) {
            for (x, sum) in x.iter().zip(sums) {
                *sum = T::multiply_add(simd, delta[at], x[at], *sum);
            }
        }
    }
    sums
}
