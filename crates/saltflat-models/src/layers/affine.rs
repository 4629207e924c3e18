//! Factors and offsets after a normalisation.

use burn::tensor::Tensor;
use saltflat_kernels::{row_products, row_sums};

use super::{bias::Bias, normalise::EPSILON, scale::Scale};
use crate::{
    Init, Jet, Layer, Pass, PerSample,
    jet::{for_each_direction, for_each_sample, sum},
    layout::Slot,
    place::Place,
};

/// y = γ x̂ + β: a factor and an offset a channel, or one a channel and position; or only factors, or neither.
#[derive(Debug)]
pub(super) struct Affine {
    gamma: Option<Slot>,
    beta: Option<Slot>,
    /// `[channels, 1, 1]`, or `[channels, height, width]`.
    shape: [usize; 3],
}

impl Affine {
    /// Adds `NAME.weight` (γ, 1 at first) and `NAME.bias` (β, 0 at first), those that are asked for. `shape` is `[channels]` or
    /// `[channels, height, width]`.
    pub(super) fn new(place: &mut Place<'_>, shape: &[usize], [gamma, beta]: [bool; 2]) -> Self {
        let gamma = gamma.then(|| place.parameter("weight", shape, Init::Constant(1.0)));
        let beta = beta.then(|| place.parameter("bias", shape, Init::Constant(0.0)));
        let size = |axis: usize| shape.get(axis).copied().unwrap_or(1);
        Self { gamma, beta, shape: [size(0), size(1), size(2)] }
    }

    fn channels(&self) -> usize {
        self.shape[0]
    }

    fn is_per_channel(&self) -> bool {
        self.shape[1..] == [1, 1]
    }

    /// Group normalisation of x and what [`forward`](Self::forward) does with it in one, if there are kernels for that.
    pub(super) fn group_norm(&self, x: &Jet, groups: usize, eps: f64, pass: &mut Pass<'_>) -> Option<Jet> {
        let slots = [self.gamma?, self.beta?];
        let [v_gamma, v_beta] = slots.map(|slot| pass.velocity::<1>(slot, [self.channels()]));
        let velocity = v_gamma.zip(v_beta);
        // Kernels are for jets that are complete, and have no backward pass of a second coefficient.
        let complete = velocity.is_some() == x.first.is_some() && (x.first.is_some() || x.second.is_none());
        let untracked = !pass.second_order() || !x.value.is_autodiff();
        let fits = self.is_per_channel() && eps == EPSILON;
        if !saltflat_kernels::has_kernels(&x.value) || !complete || !untracked || !fits {
            return None;
        }
        let [gamma, beta] = slots.map(|slot| pass.tensor::<1>(slot, [self.channels()]));
        let value = saltflat_kernels::group_norm(x.value.clone(), [gamma.clone(), beta.clone()], groups);
        let value = pass.record(value, || {
            let plain = [gamma.clone().without_autodiff().ones_like(), beta.without_autodiff().zeros_like()];
            let normalised = saltflat_kernels::group_norm(x.value.clone().without_autodiff(), plain, groups);
            self.rows(normalised)
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
        if self.gamma.is_none() && self.beta.is_none() {
            return x;
        }
        let [c, h, w] = self.shape;
        let shape = [1, c, h, w];
        let [n, _, height, width] = x.value.dims();
        let gamma = self.gamma.map(|slot| pass.tensor::<4>(slot, shape));
        let beta = self.beta.map(|slot| pass.tensor::<4>(slot, shape));
        let velocity = |slot: Option<Slot>| pass.velocity::<4>(slot?, shape).map(|v| for_each_sample(v, n));
        let (v_gamma, v_beta) = (velocity(self.gamma), velocity(self.beta));
        let scaled = |t: Tensor<4>| match &gamma {
            Some(gamma) => t * gamma.clone(),
            None => t,
        };
        let second = match pass.second_order() {
            true => sum(x.second.map(scaled), x.first.clone().zip(v_gamma.clone()).map(|(t, v)| t * v.mul_scalar(2.0))),
            false => None,
        };
        let moved = match (v_gamma.map(|v| for_each_direction(&x.value, &v) * v), v_beta) {
            (Some(of_gamma), Some(v_beta)) => Some(of_gamma + v_beta),
            (None, Some(v_beta)) => {
                let rows = v_beta.dims()[0];
                Some(v_beta.expand([rows, c, height, width]))
            }
            (of_gamma, None) => of_gamma,
        };
        let first = sum(x.first.map(scaled), moved);
        let value = match self.is_per_channel() {
            true => {
                let flat = |t: Tensor<4>| t.reshape([c]);
                let mut value = x.value.clone();
                if let Some(gamma) = gamma {
                    value = saltflat_kernels::scale(value, flat(gamma));
                }
                match beta {
                    Some(beta) => saltflat_kernels::shift(value, flat(beta)),
                    None => value,
                }
            }
            false => match beta {
                Some(beta) => scaled(x.value.clone()) + beta,
                None => scaled(x.value.clone()),
            },
        };
        let value = pass.record(value, || self.rows(x.value.without_autodiff()));
        Jet { value, first, second }
    }

    /// As [`forward`](Self::forward), by the kernels of the layers [`Scale`] and [`Bias`], whose sums are rounded in another order; each of
    /// them has its own per-sample rule.
    pub(super) fn forward_in_layers(&self, mut x: Jet, pass: &mut Pass<'_>) -> Jet {
        if !self.is_per_channel() {
            return self.forward(x, pass);
        }
        if let Some(gamma) = self.gamma {
            x = Scale::of_slot(gamma, self.channels()).forward(x, pass);
        }
        match self.beta {
            Some(beta) => Bias::of_slot(beta, self.channels()).forward(x, pass),
            None => x,
        }
    }

    fn rows(&self, normalised: Tensor<4>) -> AffineRows {
        AffineRows {
            normalised,
            parts: [self.gamma.is_some(), self.beta.is_some()],
            is_per_channel: self.is_per_channel(),
        }
    }
}

/// The gradient of a sample: (Σ δ x̂, Σ δ) over the positions of each channel, or (δ x̂, δ); of γ and β, those that there are.
struct AffineRows {
    normalised: Tensor<4>,
    parts: [bool; 2],
    is_per_channel: bool,
}

impl PerSample for AffineRows {
    fn keep(&self, delta: Tensor<4>) -> Tensor<2> {
        let [n, channels, h, w] = delta.dims();
        let planes = |t: Tensor<4>| t.reshape([n * channels, h * w]);
        let of_gamma = || match self.is_per_channel {
            true => row_products(planes(delta.clone()), planes(self.normalised.clone())).reshape([n, channels]),
            false => (delta.clone() * self.normalised.clone()).flatten(1, 3),
        };
        let of_beta = || match self.is_per_channel {
            true => row_sums(planes(delta.clone())).reshape([n, channels]),
            false => delta.clone().flatten(1, 3),
        };
        match self.parts {
            [true, false] => of_gamma(),
            [false, _] => of_beta(),
            [true, true] => Tensor::cat(vec![of_gamma(), of_beta()], 1),
        }
    }
}
