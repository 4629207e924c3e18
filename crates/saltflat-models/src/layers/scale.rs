//! One factor for everything, of Fixup networks.

use burn::tensor::Tensor;

use super::Layer;
use crate::{
    Init, Jet, Layout, Pass, PerSample,
    jet::{for_each_direction, for_each_sample, sum},
    layout::Slot,
};

/// y = s x with one trainable number s, 1 at first. Zhang, Dauphin, Ma 2019, arXiv 1901.09321.
///
/// Jet: ẏ = s ẋ + v x, ÿ = s ẍ + 2 v ẋ.
#[derive(Debug)]
pub struct Scale {
    scale: Slot,
}

impl Scale {
    /// Adds the tensor NAME `[1]` to the layout.
    pub fn new(layout: &mut Layout, name: &str) -> Self {
        Self { scale: layout.parameter(name, &[1], Init::Constant(1.0)) }
    }
}

impl Layer for Scale {
    fn forward(&self, x: Jet, pass: &mut Pass<'_>) -> Jet {
        let scale = pass.tensor::<4>(self.scale, [1; 4]);
        let n = x.value.dims()[0];
        let velocity = pass.velocity::<4>(self.scale, [1; 4]).map(|v| for_each_sample(v, n));
        let second = match pass.second_order() {
            true => sum(
                x.second.map(|t| t * scale.clone()),
                x.first.clone().zip(velocity.clone()).map(|(t, v)| t * v.mul_scalar(2.0)),
            ),
            false => None,
        };
        let first = sum(x.first.map(|t| t * scale.clone()), velocity.map(|v| for_each_direction(&x.value, &v) * v));
        let value = pass.record(x.value.clone() * scale, || Rows { input: x.value.without_autodiff() });
        Jet { value, first, second }
    }
}

/// The gradient of a sample: Σ δ x.
struct Rows {
    input: Tensor<4>,
}

impl PerSample for Rows {
    fn keep(&self, delta: Tensor<4>) -> Tensor<2> {
        (delta * self.input.clone()).flatten::<2>(1, 3).sum_dim(1)
    }
}
