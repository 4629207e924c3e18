//! A convolution and its gradients, each by the kernels that are fastest for its sizes:
//!
//! * [`flat`]: stride 1 with few channels, or 1 × 1;
//! * [`winograd`]: 3 × 3 at stride 1 with more, f32;
//! * [`abreast`]: tiny images;
//! * [`blocked`]: everything else.

use pulp::{Simd, WithSimd};

use crate::{
    Real, abreast, blocked, flat, stride,
    tasks::{each_chunk, zeros},
    window::{Sizes, Sliding},
    winograd,
};

/// W ∗ x `[images, outputs, h, w]` from x `[images, inputs, height, width]` and W `[outputs, inputs, kernel, kernel]`.
pub(crate) fn value<T: Real>(x: &[T], weight: &[T], bias: Option<&[T]>, sizes: &Sizes) -> Vec<T> {
    if let Some(dense) = stride::dense(sizes) {
        return value(&stride::thin(x, sizes), weight, bias, &dense);
    }
    pulp::Arch::new().dispatch(Correlation { gradient: false, source: x, weight, bias, sizes })
}

/// The gradient with respect to x, of its shape, from that with respect to W ∗ x.
pub(crate) fn input_gradient<T: Real>(delta: &[T], weight: &[T], sizes: &Sizes) -> Vec<T> {
    if let Some(dense) = stride::dense(sizes) {
        return stride::spread(&input_gradient(delta, weight, &dense), sizes);
    }
    pulp::Arch::new().dispatch(Correlation { gradient: true, source: delta, weight, bias: None, sizes })
}

/// ∂/∂W `[outputs, inputs, kernel, kernel]` from x `[images, inputs, height, width]` and the gradient with respect to W ∗ x.
pub(crate) fn weight_gradient<T: Real>(x: &[T], delta: &[T], sizes: &Sizes) -> Vec<T> {
    if let Some(dense) = stride::dense(sizes) {
        return weight_gradient(&stride::thin(x, sizes), delta, &dense);
    }
    if flat::serves_weight(sizes) {
        return pulp::Arch::new().dispatch(FlatWeightGradient { x, delta, sizes, of_each: false });
    }
    let mut out = zeros(sizes.outputs * sizes.inputs * sizes.window.area());
    pulp::Arch::new().dispatch(WeightGradient { x, delta, sizes, out: &mut out });
    out
}

/// The gradients of each image by itself, `[images, outputs, inputs, kernel, kernel]`.
pub(crate) fn sample_gradients<T: Real>(x: &[T], delta: &[T], sizes: &Sizes) -> Vec<T> {
    if let Some(dense) = stride::dense(sizes) {
        return sample_gradients(&stride::thin(x, sizes), delta, &dense);
    }
    if flat::serves_weight(sizes) {
        return pulp::Arch::new().dispatch(FlatWeightGradient { x, delta, sizes, of_each: true });
    }
    let one = Sizes { images: 1, ..*sizes };
    let (image, cotangent) = (sizes.image(), sizes.outputs * sizes.positions());
    let size = sizes.outputs * sizes.inputs * sizes.window.area();
    let mut out = zeros(sizes.images * size);
    let make = |(): &mut (), i: usize, out: &mut [T]| {
        let (x, delta) = (&x[i * image..][..image], &delta[i * cotangent..][..cotangent]);
        pulp::Arch::new().dispatch(WeightGradient { x, delta, sizes: &one, out });
    };
    each_chunk(&mut out, size, sizes.multiplications(), || (), make);
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
        if flat::serves(sizes) {
            let sizes = Sliding::new(sizes, gradient);
            let run = match lanes {
                16.. if sizes.outputs <= 4 => flat::correlate::<T, S, 4, 5>,
                16.. => flat::correlate::<T, S, 8, 2>,
                _ => flat::correlate::<T, S, 4, 3>,
            };
            return run(simd, source, weight, bias, &sizes);
        }
        if T::ROUGH && lanes >= 4 && winograd::serves(sizes) {
            let sizes = Sliding::new(sizes, gradient);
            return match lanes {
                16.. => winograd::correlate::<T, S, 8, 2>(simd, source, weight, bias, &sizes),
                _ => winograd::correlate::<T, S, 6, 2>(simd, source, weight, bias, &sizes),
            };
        }
        if abreast::serves(sizes) {
            let run = match lanes {
                16.. => abreast::correlate::<T, S, 12, 2>,
                4.. => abreast::correlate::<T, S, 6, 2>,
                _ => abreast::correlate::<T, S, 3, 4>,
            };
            return run(simd, gradient, source, weight, bias, sizes);
        }
        let run = match lanes {
            _ if (if gradient { sizes.inputs } else { sizes.outputs }) <= lanes => blocked::correlate::<T, S, 8, 1>,
            16.. => blocked::correlate::<T, S, 12, 2>,
            4.. => blocked::correlate::<T, S, 6, 2>,
            _ => blocked::correlate::<T, S, 3, 4>,
        };
        run(simd, gradient, source, weight, bias, sizes)
    }
}

/// Sums over positions and images, of more channels than [`flat`] serves; `out` is zero before.
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
        if T::ROUGH && lanes >= 4 && winograd::serves_weight(sizes) {
            return match lanes {
                16.. => winograd::weight_gradient::<T, S, 8, 2>(simd, x, delta, sizes, out),
                _ => winograd::weight_gradient::<T, S, 4, 2>(simd, x, delta, sizes, out),
            };
        }
        let run = match lanes {
            _ if sizes.inputs <= lanes => blocked::weight_gradient::<T, S, 8, 1>,
            16.. => blocked::weight_gradient::<T, S, 12, 2>,
            4.. => blocked::weight_gradient::<T, S, 6, 2>,
            _ => blocked::weight_gradient::<T, S, 3, 4>,
        };
        run(simd, x, delta, sizes, out);
    }
}

/// Sums over positions, and over images where not `of_each`.
struct FlatWeightGradient<'a, T> {
    x: &'a [T],
    delta: &'a [T],
    sizes: &'a Sizes,
    of_each: bool,
}

impl<T: Real> WithSimd for FlatWeightGradient<'_, T> {
    type Output = Vec<T>;

    fn with_simd<S: Simd>(self, simd: S) -> Vec<T> {
        let Self { x, delta, sizes, of_each } = self;
        let run = match (sizes.window.kernel, T::lanes::<S>()) {
            (1, _) => flat::weight_gradient::<T, S, 8, 1>,
            (3, 16..) => flat::weight_gradient::<T, S, 8, 3>,
            (3, _) => flat::weight_gradient::<T, S, 4, 3>,
            (_, 16..) => flat::weight_gradient::<T, S, 4, 5>,
            _ => flat::weight_gradient::<T, S, 2, 5>,
        };
        run(simd, x, delta, sizes, of_each)
    }
}
