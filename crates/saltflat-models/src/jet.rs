//! Truncated Taylor series of an activation along a direction in parameter space.

use burn::tensor::Tensor;

/// An activation x(θ + t v) up to second order in t: value x, first ẋ = d/dt, second ẍ = d²/dt², all
/// `[batch, channels, height, width]`. An absent coefficient is zero.
///
/// Vectors are images of one pixel: a linear layer's output is `[batch, features, 1, 1]`.
#[derive(Clone, Debug)]
pub struct Jet<const D: usize = 4> {
    /// x.
    pub value: Tensor<D>,
    /// ẋ.
    pub first: Option<Tensor<D>>,
    /// ẍ.
    pub second: Option<Tensor<D>>,
}

impl<const D: usize> Jet<D> {
    /// An activation that does not depend on the parameters, such as the network's input.
    pub fn constant(value: Tensor<D>) -> Self {
        Self { value, first: None, second: None }
    }

    /// A linear map of the activation, that is, the same map of every coefficient.
    pub fn linear<const E: usize>(self, f: impl Fn(Tensor<D>) -> Tensor<E>) -> Jet<E> {
        Jet { value: f(self.value), first: self.first.map(&f), second: self.second.map(&f) }
    }

    /// Sum of two activations.
    pub fn plus(self, other: Self) -> Self {
        Self {
            value: self.value + other.value,
            first: sum(self.first, other.first),
            second: sum(self.second, other.second),
        }
    }
}

/// Sum of two coefficients of which either may be zero.
pub(crate) fn sum<const D: usize>(a: Option<Tensor<D>>, b: Option<Tensor<D>>) -> Option<Tensor<D>> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a + b),
        (a, b) => a.or(b),
    }
}
