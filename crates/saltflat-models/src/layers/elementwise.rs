//! Functions of every entry by itself.

use std::fmt::Debug;

use burn::tensor::Tensor;

use crate::{
    Jet, Layer, Pass,
    jet::{for_each_direction, sum},
};

/// A function f of every entry by itself, written in differentiable operations. It is a [`Layer`] without parameters: ẏ = f′(x) ẋ,
/// ÿ = f′(x) ẍ + f″(x) ẋ².
pub trait Elementwise: Debug + Send + Sync {
    /// f.
    fn value(&self, x: Tensor<4>) -> Tensor<4>;

    /// f′ and, if asked for and not 0 everywhere, f″. Where f has a kink, f′ is what the backward pass of [`value`](Self::value) takes for it.
    fn derivatives(&self, x: Tensor<4>, second_order: bool) -> (Tensor<4>, Option<Tensor<4>>);
}

impl<F: Elementwise> Layer for F {
    fn forward(&self, x: Jet, pass: &mut Pass<'_>) -> Jet {
        if x.first.is_none() && x.second.is_none() {
            return Jet::constant(self.value(x.value));
        }
        let derivatives = self.derivatives(x.value.clone(), pass.second_order());
        jet(x, |x| self.value(x), derivatives)
    }
}

/// The jet of f, from f′ and, if it is not 0, f″ at x.
pub(super) fn jet(x: Jet, f: impl FnOnce(Tensor<4>) -> Tensor<4>, (df, ddf): (Tensor<4>, Option<Tensor<4>>)) -> Jet {
    let curved = x.first.clone().zip(ddf).map(|(t, ddf)| for_each_direction(&ddf, &t) * t.square());
    let times_df = |t: Tensor<4>| for_each_direction(&df, &t) * t;
    let second = sum(x.second.map(times_df), curved);
    Jet { value: f(x.value), first: x.first.map(times_df), second }
}

/// 1 at every entry, and no part of an autodiff graph.
pub(super) fn ones(like: &Tensor<4>) -> Tensor<4> {
    like.clone().without_autodiff().ones_like()
}

/// `inside` where x is between two bounds, the first number of `outside` where x is not above the lower one, the second where it is not below
/// the upper one. To a backward pass it is a constant outside.
pub(super) fn between(x: &Tensor<4>, [low, high]: [f64; 2], outside: [f64; 2], inside: Tensor<4>) -> Tensor<4> {
    let x = x.clone().without_autodiff();
    inside.mask_fill(x.clone().lower_equal_scalar(low), outside[0]).mask_fill(x.greater_equal_scalar(high), outside[1])
}
