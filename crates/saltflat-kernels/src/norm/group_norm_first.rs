//! The first coefficient of group normalisation, and its backward pass.

use burn::{
    backend::{TensorMetadata, flex::FlexTensor},
    tensor::{Shape, Tensor},
};

use super::groups::{Groups, centre_along, combine, derivative, mean_product, scale, standardise};
use crate::{
    operation::apply,
    reduce::{over_directions, product},
    simd::Real,
    slices::kernel,
};

/// The first coefficient of [`group_norm`](crate::group_norm) along K directions, γ Df\[ẋ\] + γ̇ f + β̇, from ẋ
/// `[K · batch, channels, h, w]` and γ̇, β̇ `[K · channels]`, which are constants to the backward pass.
///
/// # Panics
/// If [`has_kernels`](crate::has_kernels) is false for x.
pub fn group_norm_first(
    [x, first]: [Tensor<4>; 2],
    gamma: Tensor<1>,
    [v_gamma, v_beta]: [Tensor<1>; 2],
    groups: usize,
) -> Tensor<4> {
    let inputs = [x.into_dispatch(), first.into_dispatch(), gamma.into_dispatch()];
    let constants = [v_gamma.into_dispatch(), v_beta.into_dispatch()];
    apply(inputs, constants, move |[x, first, gamma], [v_gamma, v_beta]| {
        let sizes = Groups::new(&x, groups);
        let y = kernel!(
            [x, first, gamma, v_gamma, v_beta] -> first.shape(),
            value([x, first], gamma, [v_gamma, v_beta], sizes)
        );
        let backward = move |delta: FlexTensor, [wants_x, wants_first, wants_gamma]: [bool; 3]| {
            let input_gradient = || {
                let n = x.shape().num_elements();
                kernel!(
                    [x, first, delta, gamma, v_gamma] -> x.shape(),
                    over_directions(curvature([x, first, delta], gamma, v_gamma, sizes), n)
                )
            };
            let gamma_gradient =
                || kernel!([x, first, delta] -> Shape::new([sizes.channels]), gamma_gradient([x, first, delta], sizes));
            [
                wants_x.then(input_gradient),
                wants_first.then(|| derivative(&x, &gamma, &delta, sizes)),
                wants_gamma.then(gamma_gradient),
            ]
        };
        (y, backward)
    })
}

/// ẏ = γ Df\[ẋ\] + γ̇ f + β̇.
fn value<T: Real>([x, first]: [&[T]; 2], gamma: &[T], [v_gamma, v_beta]: [&[T]; 2], sizes: Groups) -> Vec<T> {
    sizes.each(first.len(), |at, out, [c, a, ..]| {
        let r = standardise(&x[at.image.clone()], c);
        let ra = -(r * r * r * centre_along(&first[at.numbers.clone()], c, a));
        combine(out, sizes.positions, [c, a], |i| {
            let (gamma, v) = (gamma[at.channels.start + i], at.velocities.start + i);
            ([gamma * ra + v_gamma[v] * r, gamma * r], v_beta[v])
        });
    })
}

/// D²f\[ẋ, γ δ\] + Df\[γ̇ δ\], of each direction: the gradient of ẏ with respect to x.
fn curvature<T: Real>([x, first, delta]: [&[T]; 3], gamma: &[T], v_gamma: &[T], sizes: Groups) -> Vec<T> {
    sizes.each(delta.len(), |at, out, [c, a, b, g]| {
        let r = standardise(&x[at.image.clone()], c);
        let r3 = r * r * r;
        let delta = &delta[at.numbers.clone()];
        scale(delta, &v_gamma[at.velocities.clone()], g);
        let rv = -(r3 * centre_along(g, c, a));
        combine(out, sizes.positions, [c, a], |_| ([rv, r], T::default()));
        scale(delta, &gamma[at.channels.clone()], g);
        let (mean_a, mean_b) = (centre_along(&first[at.numbers.clone()], c, a), centre_along(g, c, b));
        let rab = T::of(3.0) * r3 * r * r * mean_a * mean_b - r3 * mean_product(a, b);
        g.copy_from_slice(out);
        let one = T::of(1.0);
        combine(out, sizes.positions, [g, c, a, b], |_| ([one, rab, -(r3 * mean_b), -(r3 * mean_a)], T::default()));
    })
}

/// Σ δ Df\[ẋ\] `[channels]`: the gradient of ẏ with respect to γ.
fn gamma_gradient<T: Real>([x, first, delta]: [&[T]; 3], sizes: Groups) -> Vec<T> {
    sizes.channel_sums(delta.len(), |at, out, [c, a, ..]| {
        let r = standardise(&x[at.image.clone()], c);
        let ra = -(r * r * r * centre_along(&first[at.numbers.clone()], c, a));
        let planes = c.chunks_exact(sizes.positions).zip(a.chunks_exact(sizes.positions));
        let planes = planes.zip(delta[at.numbers.clone()].chunks_exact(sizes.positions));
        for (out, ((c, a), delta)) in out.iter_mut().zip(planes) {
            *out = r * product(a, delta) + ra * product(c, delta);
        }
    })
}
