//! The standardised input and its jet, which all normalisations share.

use burn::tensor::{DType, FloatDType, Tensor};
use saltflat_kernels::{PositionNorm, has_kernels};

use crate::{Jet, jet::for_each_direction};

/// ε, which is added to the variance, unless a configuration says another: PyTorch's.
pub(super) const EPSILON: f64 = 1e-5;

/// x̂ = (x − mean) / √(var + ε) over one dimension, and its jet; of RMS normalisation without the mean, x̂ = x / √(mean x² + ε).
///
/// With c the centred input, or x itself, s = mean c² + ε and r = s^−½: x̂ = c r, x̂̇ = ċ r + c ṙ, x̂̈ = c̈ r + 2 ċ ṙ + c r̈, where
/// ṙ = −½ r³ ṡ, r̈ = −½ r³ s̈ + ¾ r⁵ ṡ², ṡ = 2 mean(c ċ), s̈ = 2 mean(ċ² + c c̈).
///
/// Of half precision in f32: a sum of squares would overflow f16.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standardise {
    /// The dimension.
    pub(super) dim: usize,
    /// ε.
    pub(super) eps: f64,
    /// Whether the mean is subtracted.
    pub(super) centred: bool,
}

impl Standardise {
    /// x̂ and its jet.
    pub(super) fn forward(self, x: Jet<3>, second_order: bool) -> Jet<3> {
        match x.value.dtype() {
            half @ (DType::F16 | DType::BF16) => self
                .in_full_precision(x.linear(|t| t.cast(FloatDType::F32)), second_order)
                .linear(|t| t.cast(FloatDType::from(half))),
            _ => self.in_full_precision(x, second_order),
        }
    }

    fn in_full_precision(self, x: Jet<3>, second_order: bool) -> Jet<3> {
        // The kernels are for the middle dimension, and have no backward pass of a second coefficient.
        match self.dim == 1 && has_kernels(&x.value) && !(second_order && x.value.is_autodiff()) {
            true => self.by_kernels(x, second_order),
            false => self.by_operations(x, second_order),
        }
    }

    fn by_operations(self, x: Jet<3>, second_order: bool) -> Jet<3> {
        let mean = |t: Tensor<3>| t.mean_dim(self.dim);
        let Jet { value: c, first: c1, second: c2 } = match self.centred {
            true => x.linear(|t| {
                let mean = mean(t.clone());
                t - mean
            }),
            false => x,
        };
        let deviation = mean(c.clone().square()).add_scalar(self.eps).sqrt();
        let Some(c1) = c1 else {
            let second = c2.map(|c2| self.second_of_constant(&c, c2, &deviation));
            return Jet { value: c / deviation, first: None, second };
        };
        let value = c.clone() / deviation.clone();
        let (r, c) = (for_each_direction(&deviation.recip(), &c1), for_each_direction(&c, &c1));
        let r3 = r.clone() * r.clone() * r.clone();
        let s1 = mean(c.clone() * c1.clone()).mul_scalar(2.0);
        let r1 = r3.clone() * s1.clone().mul_scalar(-0.5);
        let second = second_order.then(|| {
            let mut s2 = c1.clone().square();
            if let Some(c2) = &c2 {
                s2 = s2 + c.clone() * c2.clone();
            }
            let s2 = mean(s2).mul_scalar(2.0);
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

    fn by_kernels(self, x: Jet<3>, second_order: bool) -> Jet<3> {
        let norm = PositionNorm { eps: self.eps, centred: self.centred };
        let along = |t: Tensor<3>| norm.first([x.value.clone(), t]);
        let second = match (&x.first, x.second) {
            (Some(first), second) if second_order => Some(norm.second([x.value.clone(), first.clone()], second)),
            // The rule is then that of a first coefficient.
            (None, Some(second)) => Some(along(second)),
            (Some(_) | None, _) => None,
        };
        Jet { first: x.first.map(along), second, value: norm.value(x.value.clone()) }
    }

    /// x̂̈ for ẋ = 0: the rule is then that of a first coefficient.
    fn second_of_constant(self, c: &Tensor<3>, c2: Tensor<3>, deviation: &Tensor<3>) -> Tensor<3> {
        let (c, deviation) = (for_each_direction(c, &c2), for_each_direction(deviation, &c2));
        let value = c / deviation.clone();
        let along = (value.clone() * c2.clone()).mean_dim(self.dim);
        (c2 - value * along) / deviation
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};
    use saltflat_random::{Key, Stream};

    use super::*;

    fn random(shape: [usize; 3], part: u64) -> Tensor<3> {
        let values = Key::new(2, Stream::Probe, 0).part(part).normal(shape.iter().product());
        Tensor::from_data(TensorData::new(values, shape), (&Device::flex(), DType::F64))
    }

    /// The kernels and burn's operations give the same jet, whichever coefficients the input has.
    #[test]
    fn kernels_and_operations_agree() {
        for centred in [true, false] {
            let standardise = Standardise { dim: 1, eps: 1e-3, centred };
            for (first, second) in [(false, false), (true, false), (false, true), (true, true)] {
                let of_directions = [6, 5, 4];
                let x = Jet {
                    value: random([3, 5, 4], 0),
                    first: first.then(|| random(of_directions, 1)),
                    second: second.then(|| random(of_directions, 2)),
                };
                let (a, b) = (standardise.by_kernels(x.clone(), true), standardise.by_operations(x, true));
                for (a, b) in [(Some(a.value), Some(b.value)), (a.first, b.first), (a.second, b.second)] {
                    assert_eq!(a.is_some(), b.is_some(), "{first} {second}");
                    if let Some((a, b)) = a.zip(b) {
                        let difference = (a - b.clone()).abs().max().into_scalar::<f64>();
                        assert!(difference <= 1e-13 * b.abs().max().into_scalar::<f64>(), "{difference:e}");
                    }
                }
            }
        }
    }
}
