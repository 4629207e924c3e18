//! The second coefficient of group normalisation.

use burn::{backend::TensorMetadata, tensor::Tensor};

use super::groups::{Groups, centre_along, combine, mean_product, standardise};
use crate::{
    operation::{from_flex, to_flex},
    simd::Real,
    slices::kernel,
};

/// The second coefficient of [`group_norm`](crate::group_norm), γ (D²f\[ẋ, ẋ\] + Df\[ẍ\]) + 2 γ̇ Df\[ẋ\]. It has no backward pass.
///
/// # Panics
/// If [`has_kernels`](crate::has_kernels) is false for x, or a tensor belongs to an autodiff graph.
pub fn group_norm_second(
    [x, first]: [Tensor<4>; 2],
    second: Option<Tensor<4>>,
    [gamma, v_gamma]: [Tensor<1>; 2],
    groups: usize,
) -> Tensor<4> {
    let (x, first, gamma, v_gamma) = (to_flex(x), to_flex(first), to_flex(gamma), to_flex(v_gamma));
    let sizes = Groups::new(&x, groups);
    from_flex(match second.map(to_flex) {
        Some(second) => kernel!(
            [x, first, second, gamma, v_gamma] -> first.shape(),
            value([x, first], Some(second), gamma, v_gamma, sizes)
        ),
        None => kernel!(
            [x, first, gamma, v_gamma] -> first.shape(),
            value([x, first], None, gamma, v_gamma, sizes)
        ),
    })
}

/// ÿ = γ (D²f\[ẋ, ẋ\] + Df\[ẍ\]) + 2 γ̇ Df\[ẋ\]; ẍ = 0 if it is absent.
fn value<T: Real>([x, first]: [&[T]; 2], second: Option<&[T]>, gamma: &[T], v_gamma: &[T], sizes: Groups) -> Vec<T> {
    let two = T::of(2.0);
    sizes.each(first.len(), |at, out, [c, a, b, _]| {
        let r = standardise(&x[at.image.clone()], c);
        let r3 = r * r * r;
        let along = centre_along(&first[at.numbers.clone()], c, a);
        let ra = -(r3 * along);
        let of_second = second.map_or_else(T::default, |second| centre_along(&second[at.numbers.clone()], c, b));
        let raa = T::of(3.0) * r3 * r * r * along * along - r3 * (mean_product(a, a) + of_second);
        combine(out, sizes.positions, [c, a, b], |i| {
            let (gamma, v) = (gamma[at.channels.start + i], two * v_gamma[at.velocities.start + i]);
            ([gamma * raa + v * ra, gamma * two * ra + v * r, gamma * r], T::default())
        });
    })
}
