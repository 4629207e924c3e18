//! What group and batch normalisation share.

use burn::tensor::{DType, FloatDType, Tensor};
use saltflat_kernels::{row_products, row_sums};

use crate::{
    Init, Jet, Pass, PerSample,
    jet::{for_each_direction, for_each_sample, sum},
    layout::Slot,
    place::Place,
};

/// Added to the variance, as in PyTorch.
pub(super) const EPSILON: f64 = 1e-5;

/// x̂ = (x − mean) / √(var + ε) over the last dimension, and its jet.
///
/// With c the centred input, s = mean c² + ε and r = s^−½: x̂ = c r, x̂̇ = ċ r + c ṙ, x̂̈ = c̈ r + 2 ċ ṙ + c r̈, where
/// ṙ = −½ r³ ṡ, r̈ = −½ r³ s̈ + ¾ r⁵ ṡ², ṡ = 2 mean(c ċ), s̈ = 2 mean(ċ² + c c̈).
///
/// Of half precision in f32: a sum of squares would overflow f16.
pub(super) fn standardise(x: Jet<3>, second_order: bool) -> Jet<3> {
    match x.value.dtype() {
        half @ (DType::F16 | DType::BF16) => standardise_in_full(x.linear(|t| t.cast(FloatDType::F32)), second_order)
            .linear(|t| t.cast(FloatDType::from(half))),
        _ => standardise_in_full(x, second_order),
    }
}

fn standardise_in_full(x: Jet<3>, second_order: bool) -> Jet<3> {
    let Jet { value: c, first: c1, second: c2 } = x.linear(|t| {
        let mean = t.clone().mean_dim(2);
        t - mean
    });
    let deviation = c.clone().square().mean_dim(2).add_scalar(EPSILON).sqrt();
    let Some(c1) = c1 else {
        let second = c2.map(|c2| second_of_constant(&c, c2, &deviation));
        return Jet { value: c / deviation, first: None, second };
    };
    let value = c.clone() / deviation.clone();
    let (r, c) = (for_each_direction(&deviation.recip(), &c1), for_each_direction(&c, &c1));
    let r3 = r.clone() * r.clone() * r.clone();
    let s1 = (c.clone() * c1.clone()).mean_dim(2).mul_scalar(2.0);
    let r1 = r3.clone() * s1.clone().mul_scalar(-0.5);
    let second = second_order.then(|| {
        let mut s2 = c1.clone().square();
        if let Some(c2) = &c2 {
            s2 = s2 + c.clone() * c2.clone();
        }
        let s2 = s2.mean_dim(2).mul_scalar(2.0);
        let r5 = r3.clone() * r.clone() * r.clone();
        let r2 = r3 * s2.mul_scalar(-0.5) + r5 * s1.square().mul_scalar(0.75);
        let rest = c1.clone().mul_scalar(2.0) * r1.clone() + c.clone() * r2;
        match c2 {
            Some(c2) => rest + c2 * r.clone(),
            None => rest,
        }
    });
    Jet { first: Some(c1 * r + c * r1), value, second }
}

/// x̂̈ for ẋ = 0: the rule is then that of a first coefficient.
fn second_of_constant(c: &Tensor<3>, c2: Tensor<3>, deviation: &Tensor<3>) -> Tensor<3> {
    let (c, deviation) = (for_each_direction(c, &c2), for_each_direction(deviation, &c2));
    let value = c / deviation.clone();
    let along = (value.clone() * c2.clone()).mean_dim(2);
    (c2 - value * along) / deviation
}

/// y = γ x̂ + β, a factor and an offset a channel.
#[derive(Debug)]
pub(super) struct Affine {
    gamma: Slot,
    beta: Slot,
    channels: usize,
}

impl Affine {
    /// Adds `NAME.weight` (γ, 1 at first) and `NAME.bias` (β, 0 at first).
    pub(super) fn new(place: &mut Place<'_>, channels: usize) -> Self {
        let gamma = place.parameter("weight", &[channels], Init::Constant(1.0));
        let beta = place.parameter("bias", &[channels], Init::Constant(0.0));
        Self { gamma, beta, channels }
    }

    /// Group normalisation of x and what [`forward`](Self::forward) does with it in one, if there are kernels for that.
    pub(super) fn group_norm(&self, x: &Jet, groups: usize, pass: &mut Pass<'_>) -> Option<Jet> {
        let velocity = |slot| pass.velocity::<1>(slot, [self.channels]);
        let velocity = velocity(self.gamma).zip(velocity(self.beta));
        // Kernels are for jets that are complete, and have no backward pass of a second coefficient.
        let complete = velocity.is_some() == x.first.is_some() && (x.first.is_some() || x.second.is_none());
        let untracked = !pass.second_order() || !x.value.is_autodiff();
        if !saltflat_kernels::has_kernels(&x.value) || !complete || !untracked {
            return None;
        }
        let [gamma, beta] = [self.gamma, self.beta].map(|slot| pass.tensor::<1>(slot, [self.channels]));
        let value = saltflat_kernels::group_norm(x.value.clone(), [gamma.clone(), beta.clone()], groups);
        let value = pass.record(value, || {
            let plain = [gamma.clone().without_autodiff().ones_like(), beta.without_autodiff().zeros_like()];
            AffineRows { normalised: saltflat_kernels::group_norm(x.value.clone().without_autodiff(), plain, groups) }
        });
        let coefficients = x.first.clone().zip(velocity).map(|(first, (v_gamma, v_beta))| {
            let along = [x.value.clone(), first];
            let second = pass.second_order().then(|| {
                let factors = [gamma.clone(), v_gamma.clone()];
                saltflat_kernels::group_norm_second(along.clone(), x.second.clone(), factors, groups)
            });
            (saltflat_kernels::group_norm_first(along, gamma, [v_gamma, v_beta], groups), second)
        });
        let (first, second) = coefficients.unzip();
        Some(Jet { value, first, second: second.flatten() })
    }

    /// Jet: ẏ = γ x̂̇ + v_γ x̂ + v_β, ÿ = γ x̂̈ + 2 v_γ x̂̇.
    pub(super) fn forward(&self, x: Jet, pass: &mut Pass<'_>) -> Jet {
        let shape = [1, self.channels, 1, 1];
        let (gamma, beta) = (pass.tensor::<4>(self.gamma, shape), pass.tensor::<4>(self.beta, shape));
        let n = x.value.dims()[0];
        let velocity = |slot| pass.velocity::<4>(slot, shape).map(|v| for_each_sample(v, n));
        let velocity = velocity(self.gamma).zip(velocity(self.beta));
        let second = match pass.second_order() {
            true => sum(
                x.second.map(|t| t * gamma.clone()),
                x.first.clone().zip(velocity.clone()).map(|(t, (v, _))| t * v.mul_scalar(2.0)),
            ),
            false => None,
        };
        let first = sum(
            x.first.map(|t| t * gamma.clone()),
            velocity.map(|(v, v_beta)| for_each_direction(&x.value, &v) * v + v_beta),
        );
        let flat = |t: Tensor<4>| t.reshape([self.channels]);
        let value = saltflat_kernels::shift(saltflat_kernels::scale(x.value.clone(), flat(gamma)), flat(beta));
        let value = pass.record(value, || AffineRows { normalised: x.value.without_autodiff() });
        Jet { value, first, second }
    }
}

/// The gradient of a sample: (Σ δ x̂, Σ δ) over the positions of each channel.
struct AffineRows {
    normalised: Tensor<4>,
}

impl PerSample for AffineRows {
    fn keep(&self, delta: Tensor<4>) -> Tensor<2> {
        let [n, channels, h, w] = delta.dims();
        let planes = |t: Tensor<4>| t.reshape([n * channels, h * w]);
        let along = row_products(planes(delta.clone()), planes(self.normalised.clone()));
        let sums = row_sums(planes(delta));
        Tensor::cat(vec![along.reshape([n, channels]), sums.reshape([n, channels])], 1)
    }
}
