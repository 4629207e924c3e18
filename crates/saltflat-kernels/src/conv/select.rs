//! A convolution and its gradients, each by the kernels that are fastest for its sizes:
//!
//! * [`planar`]: stride 1 with few channels, or 1 × 1;
//! * [`winograd`]: 3 × 3 at stride 1 with more, f32;
//! * [`batch_vectorized`]: tiny images;
//! * [`nchwc`]: everything else.

use pulp::{Simd, WithSimd};

use super::{
    batch_vectorized, nchwc, planar, stride,
    window::{Sizes, Sliding, Window},
    winograd,
};
use crate::{
    simd::Real,
    tasks::{each_chunk, zeros},
};

/// Channels from which other kernels are faster than planar ones.
const PLANAR_CHANNELS: usize = 32;

/// Sides from which what lies between the rows of planes is a small part.
const PLANAR_SIDE: usize = 8;

/// Positions from which those of a 1 × 1 kernel fill vectors.
const PLANAR_POSITIONS: usize = 64;

/// Channels times positions of a row from which Winograd's tiles are worth their transforms, in sums over channels.
const WINOGRAD_SIZE: usize = 256;

/// The same in images of odd sides.
const WINOGRAD_SIZE_ODD: usize = 1024;

/// The same for the gradient with respect to the weight.
const WINOGRAD_SIZE_WEIGHT: usize = 512;

/// Tiles from which a gradient with respect to the weight is worth its transform.
const WINOGRAD_TILES: usize = 128;

/// Positions of an image up to which vectors of images are fastest.
const BATCH_POSITIONS: usize = 4;

/// Images from which they are.
const BATCH_IMAGES: usize = 16;

/// Whether planar kernels are fastest for the value and the gradient with respect to the input.
fn is_planar(sizes: &Sizes) -> bool {
    let Window { kernel, stride, padding } = sizes.window;
    let pointwise = kernel == 1 && stride == 1 && padding == 0 && sizes.positions() >= PLANAR_POSITIONS;
    pointwise || is_planar_weight_gradient(sizes)
}

/// Whether they are for the gradient with respect to the weight.
fn is_planar_weight_gradient(sizes: &Sizes) -> bool {
    let [_, w] = sizes.output();
    matches!(sizes.window.kernel, 1 | 3 | 5)
        && Sliding::fits(sizes)
        && sizes.inputs.min(sizes.outputs) < PLANAR_CHANNELS
        && w.min(sizes.width) >= PLANAR_SIDE
}

/// Whether Winograd's kernels are fastest for the value and the gradient with respect to the input: not if channels are so few, or rows
/// so short, that transforming images takes longer than what is saved.
fn is_winograd<T: Real>(sizes: &Sizes, lanes: usize) -> bool {
    let even = sizes.output().iter().all(|side| side % 2 == 0);
    supports_winograd::<T>(sizes, lanes, if even { WINOGRAD_SIZE } else { WINOGRAD_SIZE_ODD })
}

/// Whether they are for the gradient with respect to the weight; not if tiles are few, either.
fn is_winograd_weight_gradient<T: Real>(sizes: &Sizes, lanes: usize) -> bool {
    let tiles: usize = sizes.output().iter().map(|side| side.div_ceil(2)).product();
    supports_winograd::<T>(sizes, lanes, WINOGRAD_SIZE_WEIGHT) && sizes.images * tiles >= WINOGRAD_TILES
}

fn supports_winograd<T: Real>(sizes: &Sizes, lanes: usize, least: usize) -> bool {
    let [_, w] = sizes.output();
    let size = sizes.inputs.min(sizes.outputs) * w;
    T::IS_SINGLE && lanes >= 4 && sizes.window.kernel == 3 && Sliding::fits(sizes) && w > 2 && size >= least
}

/// Whether vectors of images are fastest for the value and the gradient with respect to the input.
fn is_batch_vectorized(sizes: &Sizes) -> bool {
    let source = sizes.inputs.min(sizes.outputs) * sizes.height * sizes.width;
    let tiny = source > 0 && sizes.height * sizes.width <= BATCH_POSITIONS;
    tiny && sizes.images >= BATCH_IMAGES && matches!(sizes.window.kernel, 1 | 3)
}

/// W ∗ x `[images, outputs, h, w]` from x `[images, inputs, height, width]` and W `[outputs, inputs, kernel, kernel]`.
pub(crate) fn value<T: Real>(x: &[T], weight: &[T], bias: Option<&[T]>, sizes: &Sizes) -> Vec<T> {
    if let Some(unit) = stride::as_unit_stride(sizes) {
        return value(&stride::subsample(x, sizes), weight, bias, &unit);
    }
    pulp::Arch::new().dispatch(Correlation { gradient: false, source: x, weight, bias, sizes })
}

/// The gradient with respect to x, of its shape, from that with respect to W ∗ x.
pub(crate) fn input_gradient<T: Real>(delta: &[T], weight: &[T], sizes: &Sizes) -> Vec<T> {
    if let Some(unit) = stride::as_unit_stride(sizes) {
        return stride::scatter(&input_gradient(delta, weight, &unit), sizes);
    }
    pulp::Arch::new().dispatch(Correlation { gradient: true, source: delta, weight, bias: None, sizes })
}

/// ∂/∂W `[outputs, inputs, kernel, kernel]` from x `[images, inputs, height, width]` and the gradient with respect to W ∗ x; if
/// `per_image`, of each image by itself, `[images, outputs, inputs, kernel, kernel]`.
pub(crate) fn weight_gradient<T: Real>(x: &[T], delta: &[T], sizes: &Sizes, per_image: bool) -> Vec<T> {
    if let Some(unit) = stride::as_unit_stride(sizes) {
        return weight_gradient(&stride::subsample(x, sizes), delta, &unit, per_image);
    }
    if is_planar_weight_gradient(sizes) {
        return pulp::Arch::new().dispatch(PlanarWeightGradient { x, delta, sizes, per_image });
    }
    let (parts, images) = if per_image { (sizes.images, 1) } else { (1, sizes.images) };
    let part = Sizes { images, ..*sizes };
    let (of_x, of_delta) = (images * sizes.image(), images * sizes.outputs * sizes.positions());
    let size = sizes.outputs * sizes.inputs * sizes.window.area();
    let mut out = zeros(parts * size);
    each_chunk(&mut out, size, sizes.multiplications(), |i, out| {
        let (x, delta) = (&x[i * of_x..][..of_x], &delta[i * of_delta..][..of_delta]);
        pulp::Arch::new().dispatch(WeightGradient { x, delta, sizes: &part, out });
    });
    out
}

/// Sums over channels and kernel entries: the value, or the gradient with respect to the input.
struct Correlation<'a, T> {
    gradient: bool,
    source: &'a [T],
    weight: &'a [T],
    bias: Option<&'a [T]>,
    sizes: &'a Sizes,
}

impl<T: Real> WithSimd for Correlation<'_, T> {
    type Output = Vec<T>;

    /// Tiles that fill the registers, of which the narrow ones are for few channels.
    fn with_simd<S: Simd>(self, simd: S) -> Vec<T> {
        let Self { gradient, source, weight, bias, sizes } = self;
        let lanes = T::lanes::<S>();
        if is_planar(sizes) {
            let sizes = Sliding::new(sizes, gradient);
            let run = match lanes {
                16.. if sizes.outputs <= 4 => planar::correlate::<T, S, 4, 5>,
                16.. => planar::correlate::<T, S, 8, 2>,
                _ => planar::correlate::<T, S, 4, 3>,
            };
            return run(simd, source, weight, bias, &sizes);
        }
        if is_winograd::<T>(sizes, lanes) {
            let sizes = Sliding::new(sizes, gradient);
            return match lanes {
                16.. => winograd::correlate::<T, S, 8, 2>(simd, source, weight, bias, &sizes),
                _ => winograd::correlate::<T, S, 6, 2>(simd, source, weight, bias, &sizes),
            };
        }
        if is_batch_vectorized(sizes) {
            let run = match lanes {
                16.. => batch_vectorized::correlate::<T, S, 12, 2>,
                4.. => batch_vectorized::correlate::<T, S, 6, 2>,
                _ => batch_vectorized::correlate::<T, S, 3, 4>,
            };
            return run(simd, gradient, source, weight, bias, sizes);
        }
        let run = match lanes {
            _ if (if gradient { sizes.inputs } else { sizes.outputs }) <= lanes => nchwc::correlate::<T, S, 8, 1>,
            16.. => nchwc::correlate::<T, S, 12, 2>,
            4.. => nchwc::correlate::<T, S, 6, 2>,
            _ => nchwc::correlate::<T, S, 3, 4>,
        };
        run(simd, gradient, source, weight, bias, sizes)
    }
}

/// Sums over positions and images, of more channels than planar kernels take; `out` is zero before.
struct WeightGradient<'a, T> {
    x: &'a [T],
    delta: &'a [T],
    sizes: &'a Sizes,
    out: &'a mut [T],
}

impl<T: Real> WithSimd for WeightGradient<'_, T> {
    type Output = ();

    fn with_simd<S: Simd>(self, simd: S) {
        let Self { x, delta, sizes, out } = self;
        let lanes = T::lanes::<S>();
        if is_winograd_weight_gradient::<T>(sizes, lanes) {
            return match lanes {
                16.. => winograd::weight_gradient::<T, S, 8, 2>(simd, x, delta, sizes, out),
                _ => winograd::weight_gradient::<T, S, 4, 2>(simd, x, delta, sizes, out),
            };
        }
        let run = match lanes {
            _ if sizes.inputs <= lanes => nchwc::weight_gradient::<T, S, 8, 1>,
            16.. => nchwc::weight_gradient::<T, S, 12, 2>,
            4.. => nchwc::weight_gradient::<T, S, 6, 2>,
            _ => nchwc::weight_gradient::<T, S, 3, 4>,
        };
        run(simd, x, delta, sizes, out);
    }
}

/// Sums over positions, and over images unless `per_image`.
struct PlanarWeightGradient<'a, T> {
    x: &'a [T],
    delta: &'a [T],
    sizes: &'a Sizes,
    per_image: bool,
}

impl<T: Real> WithSimd for PlanarWeightGradient<'_, T> {
    type Output = Vec<T>;

    fn with_simd<S: Simd>(self, simd: S) -> Vec<T> {
        let Self { x, delta, sizes, per_image } = self;
        let run = match (sizes.window.kernel, T::lanes::<S>()) {
            (1, _) => planar::weight_gradient::<T, S, 8, 1>,
            (3, 16..) => planar::weight_gradient::<T, S, 8, 3>,
            (3, _) => planar::weight_gradient::<T, S, 4, 3>,
            (_, 16..) => planar::weight_gradient::<T, S, 4, 5>,
            _ => planar::weight_gradient::<T, S, 2, 5>,
        };
        run(simd, x, delta, sizes, per_image)
    }
}
