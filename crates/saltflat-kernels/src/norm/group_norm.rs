//! Group normalisation with factors and offsets, and its backward pass.

use burn::{
    backend::{TensorMetadata, flex::FlexTensor},
    tensor::{Shape, Tensor},
};

use super::groups::{Groups, combine, derivative, standardise};
use crate::{channelwise::channel_sums, operation::apply, reduce::product, simd::Real, slices::kernel};

/// γ f(x) + β for each sample and group of channels, f(x) = (x − mean) (variance + 10⁻⁵)^−½: PyTorch's `group_norm`, from x
/// `[batch, channels, h, w]`, γ and β `[channels]`.
///
/// # Panics
/// If [`has_kernels`](crate::has_kernels) is false for x.
pub fn group_norm(x: Tensor<4>, [gamma, beta]: [Tensor<1>; 2], groups: usize) -> Tensor<4> {
    let inputs = [x.into_dispatch(), gamma.into_dispatch(), beta.into_dispatch()];
    apply(inputs, [], move |[x, gamma, beta], []| {
        let sizes = Groups::new(&x, groups);
        let y = kernel!([x, gamma, beta] -> x.shape(), value(x, gamma, beta, sizes));
        let backward = move |delta: FlexTensor, [wants_x, wants_gamma, wants_beta]: [bool; 3]| {
            let gamma_gradient =
                || kernel!([x, delta] -> Shape::new([sizes.channels]), gamma_gradient([x, delta], sizes));
            [
                wants_x.then(|| derivative(&x, &gamma, &delta, sizes)),
                wants_gamma.then(gamma_gradient),
                wants_beta.then(|| channel_sums(&delta)),
            ]
        };
        (y, backward)
    })
}

/// y = γ f(x) + β.
fn value<T: Real>(x: &[T], gamma: &[T], beta: &[T], sizes: Groups) -> Vec<T> {
    sizes.each(x.len(), |at, out, [c, ..]| {
        let r = standardise(&x[at.image.clone()], c);
        combine(out, sizes.positions, [c], |i| {
            let channel = at.channels.start + i;
            ([gamma[channel] * r], beta[channel])
        });
    })
}

/// Σ δ f `[channels]`: the gradient of y with respect to γ.
fn gamma_gradient<T: Real>([x, delta]: [&[T]; 2], sizes: Groups) -> Vec<T> {
    sizes.channel_sums(delta.len(), |at, out, [c, ..]| {
        let r = standardise(&x[at.image.clone()], c);
        let planes = c.chunks_exact(sizes.positions).zip(delta[at.numbers.clone()].chunks_exact(sizes.positions));
        for (out, (c, delta)) in out.iter_mut().zip(planes) {
            *out = r * product(c, delta);
        }
    })
}
