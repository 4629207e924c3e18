//! Stochastic gradient descent with momentum.

use saltflat_models::Vector;
use serde::Serialize;

/// SGD in PyTorch's convention (`torch.optim.SGD`): g ← ∇L(θ) + w θ with weight decay w, u ← β u + g, θ ← θ − η u; with Nesterov
/// θ ← θ − η (g + β u). All parameters decay, also biases and those of normalisation. No dampening. The effective learning rate of heavy-ball
/// momentum is η/(1 − β).
#[derive(Clone, Debug)]
pub struct Sgd {
    momentum: f64,
    nesterov: bool,
    weight_decay: f64,
    keeps_update: bool,
    /// u, once a step with momentum was made.
    pub(crate) velocity: Option<Vector>,
    /// The direction of the last update, θ before it less θ after it over η, if it is kept.
    pub(crate) update: Option<Vector>,
}

impl Sgd {
    /// β in [0, 1), 0 for plain SGD; and whether the direction of the last update is kept.
    pub fn new(momentum: f64, nesterov: bool, keeps_update: bool) -> Self {
        Self { momentum, nesterov, weight_decay: 0.0, keeps_update, velocity: None, update: None }
    }

    /// With weight decay w.
    pub fn with_weight_decay(self, weight_decay: f64) -> Self {
        Self { weight_decay, ..self }
    }

    /// The parameters after one update with gradient g and learning rate η. Tensors that are not shared are updated in place.
    pub fn step(&mut self, theta: Vector, gradient: Vector, lr: f64) -> Vector {
        let gradient = match self.weight_decay {
            0.0 => gradient,
            decay => gradient.add_scaled(decay, &theta),
        };
        let (moved, direction) = match self.velocity.take() {
            Some(velocity) if !self.nesterov => {
                let [moved, velocity] = theta.descend(velocity, gradient, self.momentum, lr);
                self.velocity = Some(velocity.clone());
                (moved, velocity)
            }
            velocity => {
                let direction = self.direction(velocity, gradient);
                (theta.add_scaled(-lr, &direction), direction)
            }
        };
        self.update = self.keeps_update.then_some(direction);
        moved
    }

    fn direction(&mut self, velocity: Option<Vector>, gradient: Vector) -> Vector {
        if self.momentum == 0.0 {
            return gradient;
        }
        let velocity = match velocity {
            None => gradient.clone(),
            Some(old) => gradient.clone().add_scaled(self.momentum, &old),
        };
        self.velocity = Some(velocity.clone());
        if self.nesterov { gradient.add_scaled(self.momentum, &velocity) } else { velocity }
    }
}

/// Sharpness-aware minimisation: the gradient is taken at θ + ρ g/‖g‖, g the gradient at θ (Foret et al. 2021, algorithm
/// 1). Both are of the same samples with the same draws of the noise; running statistics are those of the first pass.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Sam {
    /// ρ > 0.
    pub rho: f64,
}

impl Sam {
    /// θ + ρ g/‖g‖; θ if g is 0.
    pub fn ascend(&self, theta: &Vector, gradient: &Vector) -> Vector {
        // As in the authors' code: the small number keeps 0/0 away.
        let length = gradient.norm_squared().sqrt().add_scalar(1e-12).recip().mul_scalar(self.rho);
        theta.zip(gradient, |theta, g| theta + g * length.clone())
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{DType, Device};

    use super::*;

    fn numbers(v: &Vector) -> Vec<f64> {
        v.parts()[0].clone().try_into_vec_as::<f64>().expect("on the CPU")
    }

    fn vector(x: f32) -> Vector {
        Vector::from_host([vec![x]], &Device::flex(), DType::F64)
    }

    /// By hand, lr 0.1, gradients 1 then 2, from 0. β = ½: u = 1, 2.5; θ = −0.1, −0.35. Nesterov: directions 1 + ½,
    /// 2 + 1.25; θ = −0.15, −0.475.
    #[test]
    fn two_steps_by_hand() {
        for (momentum, nesterov, expected) in
            [(0.0, false, [-0.1, -0.3]), (0.5, false, [-0.1, -0.35]), (0.5, true, [-0.15, -0.475])]
        {
            let mut sgd = Sgd::new(momentum, nesterov, false);
            let first = sgd.step(vector(0.0), vector(1.0), 0.1);
            let second = sgd.step(first.clone(), vector(2.0), 0.1);
            for (theta, expected) in [first, second].iter().zip(expected) {
                assert!((numbers(theta)[0] - expected).abs() < 1e-15, "β {momentum} nesterov {nesterov}: {theta:?}");
            }
        }
    }

    /// By hand, lr 0.1, w = ½, gradients 1 then 2, from 4. Plain: g + wθ = 3, then 2 + 1.85 = 3.85; θ = 3.7, 3.315. β = ½: u = 3, 1.5 + 3.85
    /// = 5.35; θ = 3.7, 3.165. Nesterov: directions 3 + 1.5 = 4.5, θ = 3.55; g = 3.775, u = 5.275, direction 3.775 + 2.6375; θ = 2.90875.
    #[test]
    fn weight_decay_by_hand() {
        for (momentum, nesterov, expected) in
            [(0.0, false, [3.7, 3.315]), (0.5, false, [3.7, 3.165]), (0.5, true, [3.55, 2.90875])]
        {
            let mut sgd = Sgd::new(momentum, nesterov, false).with_weight_decay(0.5);
            let first = sgd.step(vector(4.0), vector(1.0), 0.1);
            let second = sgd.step(first.clone(), vector(2.0), 0.1);
            for (theta, expected) in [first, second].iter().zip(expected) {
                assert!((numbers(theta)[0] - expected).abs() < 1e-14, "β {momentum} nesterov {nesterov}: {theta:?}");
            }
        }
    }

    /// By hand on L = ½ (θ₁² + 4 θ₂²) at (3, 1): g = (3, 4), ‖g‖ = 5; with ρ = ½ the point is (3.3, 1.4), its gradient
    /// (3.3, 5.6), and a step with lr 0.1 goes to (2.67, 0.44).
    #[test]
    fn sharpness_aware_step_by_hand() {
        let at = |x: f32, y: f32| Vector::from_host([vec![x], vec![y]], &Device::flex(), DType::F64);
        let gradient = |v: &Vector| Vector::new(vec![v.parts()[0].clone(), v.parts()[1].clone().mul_scalar(4.0)]);
        let theta = at(3.0, 1.0);
        let ascended = Sam { rho: 0.5 }.ascend(&theta, &gradient(&theta));
        let moved = Sgd::new(0.0, false, false).step(theta, gradient(&ascended), 0.1);
        for (part, expected) in moved.parts().iter().zip([2.67, 0.44]) {
            let found = part.clone().try_into_vec_as::<f64>().expect("on the CPU")[0];
            assert!((found - expected).abs() < 1e-7, "{found}, by hand {expected}");
        }
        assert_eq!(numbers(&Sam { rho: 0.5 }.ascend(&vector(2.0), &vector(0.0))), [2.0]);
    }
}
