//! Normalisation over the channels at every position, its coefficients along directions, and their backward passes.

use burn::{
    backend::{TensorMetadata, flex::FlexTensor},
    tensor::Tensor,
};

use super::positions::Positions;
use crate::{
    operation::{apply, from_flex, to_flex},
    reduce::over_directions,
    simd::Real,
    slices::kernel,
};

/// What normalises the channels at every position: f(x) = c (mean c² + ε)^−½ with c = x − mean x, or c = x if it is not centred; the means are
/// over the channels. PyTorch's `layer_norm` and `rms_norm` of the channels, without their weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PositionNorm {
    /// ε.
    pub eps: f64,
    /// Whether the mean is subtracted.
    pub centred: bool,
}

impl PositionNorm {
    /// f of x `[batch, channels, positions]`.
    ///
    /// # Panics
    /// If [`has_kernels`](crate::has_kernels) is false for x.
    pub fn value(self, x: Tensor<3>) -> Tensor<3> {
        apply([x.into_dispatch()], [], move |[x], []| {
            let sizes = self.positions(&x);
            let y = kernel!([x] -> x.shape(), value(x, sizes));
            let backward =
                move |delta: FlexTensor, [wanted]: [bool; 1]| [wanted.then(|| derivative(&x, &delta, sizes))];
            (y, backward)
        })
    }

    /// The first coefficient of [`value`](Self::value) along K directions, Df\[ẋ\], from ẋ `[K · batch, channels, positions]`.
    ///
    /// # Panics
    /// If [`has_kernels`](crate::has_kernels) is false for x.
    pub fn first(self, [x, first]: [Tensor<3>; 2]) -> Tensor<3> {
        apply([x.into_dispatch(), first.into_dispatch()], [], move |[x, first], []| {
            let sizes = self.positions(&x);
            let y = derivative(&x, &first, sizes);
            let backward = move |delta: FlexTensor, [wants_x, wants_first]: [bool; 2]| {
                let input_gradient = || {
                    let n = x.shape().num_elements();
                    kernel!(
                        [x, first, delta] -> x.shape(),
                        over_directions(curvature([x, first, delta], sizes), n)
                    )
                };
                [wants_x.then(input_gradient), wants_first.then(|| derivative(&x, &delta, sizes))]
            };
            (y, backward)
        })
    }

    /// The second coefficient, D²f\[ẋ, ẋ\] + Df\[ẍ\]; ẍ = 0 if it is absent. It has no backward pass.
    ///
    /// # Panics
    /// If [`has_kernels`](crate::has_kernels) is false for x, or a tensor belongs to an autodiff graph.
    pub fn second(self, [x, first]: [Tensor<3>; 2], second: Option<Tensor<3>>) -> Tensor<3> {
        let (x, first) = (to_flex(x), to_flex(first));
        let sizes = self.positions(&x);
        from_flex(match second.map(to_flex) {
            Some(second) => {
                kernel!([x, first, second] -> first.shape(), second_coefficient([x, first], Some(second), sizes))
            }
            None => kernel!([x, first] -> first.shape(), second_coefficient([x, first], None, sizes)),
        })
    }

    fn positions(self, x: &FlexTensor) -> Positions {
        let [images, channels, positions] = x.shape().dims();
        Positions { images, channels, positions, eps: self.eps, centred: self.centred }
    }
}

/// f(x) = r c.
fn value<T: Real>(x: &[T], sizes: Positions) -> Vec<T> {
    sizes.each(x.len(), |block, [c, ..]| {
        let r = sizes.standardise(x, block, c);
        [r, [T::default(); _], [T::default(); _]]
    })
}

/// Df\[a\], of the shape of a: the first coefficient, and the gradient of f with respect to x, and of ẏ with respect to ẋ.
fn derivative(x: &FlexTensor, a: &FlexTensor, sizes: Positions) -> FlexTensor {
    kernel!([x, a] -> a.shape(), derivative_of([x, a], sizes))
}

/// Df\[a\] = r ca + ra c.
fn derivative_of<T: Real>([x, a]: [&[T]; 2], sizes: Positions) -> Vec<T> {
    sizes.each(a.len(), |block, [c, ca, _]| {
        let r = sizes.standardise(x, block, c);
        let along = sizes.centre_along(a, block, c, ca);
        let ra = std::array::from_fn(|i| slope(r[i], along[i]));
        [ra, r, [T::default(); _]]
    })
}

/// D²f\[a, b\] = rb ca + ra cb + rab c.
fn curvature<T: Real>([x, a, b]: [&[T]; 3], sizes: Positions) -> Vec<T> {
    sizes.each(a.len(), |block, [c, ca, cb]| {
        let r = sizes.standardise(x, block, c);
        let along_a = sizes.centre_along(a, block, c, ca);
        let along_b = sizes.centre_along(b, block, c, cb);
        let across = sizes.mean_products(ca, cb, block);
        let rab = std::array::from_fn(|i| bend(r[i], along_a[i], along_b[i], across[i]));
        [rab, std::array::from_fn(|i| slope(r[i], along_b[i])), std::array::from_fn(|i| slope(r[i], along_a[i]))]
    })
}

/// D²f\[ẋ, ẋ\] + Df\[ẍ\] = 2 ra ca + r cb + (raa − r³ mean(c cb)) c with a = ẋ and b = ẍ.
fn second_coefficient<T: Real>([x, first]: [&[T]; 2], second: Option<&[T]>, sizes: Positions) -> Vec<T> {
    sizes.each(first.len(), |block, [c, ca, cb]| {
        let r = sizes.standardise(x, block, c);
        let along = sizes.centre_along(first, block, c, ca);
        let across = sizes.mean_products(ca, ca, block);
        let (of_second, factor) = match second {
            Some(second) => (sizes.centre_along(second, block, c, cb), r),
            None => ([T::default(); _], [T::default(); _]),
        };
        let of_c = std::array::from_fn(|i| bend(r[i], along[i], along[i], across[i] + of_second[i]));
        [of_c, std::array::from_fn(|i| T::of(2.0) * slope(r[i], along[i])), factor]
    })
}

/// ra = −r³ mean(c ca).
#[inline(always)]
fn slope<T: Real>(r: T, along: T) -> T {
    -(r * r * r * along)
}

/// rab = −r³ mean(ca cb) + 3 r⁵ mean(c ca) mean(c cb).
#[inline(always)]
fn bend<T: Real>(r: T, along_a: T, along_b: T, across: T) -> T {
    let r3 = r * r * r;
    T::of(3.0) * r3 * r * r * along_a * along_b - r3 * across
}
