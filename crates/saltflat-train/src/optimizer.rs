//! Stochastic gradient descent with momentum.

use saltflat_models::Vector;

/// SGD in PyTorch's convention: u ← β u + g, θ ← θ − η u; with Nesterov θ ← θ − η (g + β u). No dampening, no weight
/// decay. The effective learning rate of heavy-ball momentum is η/(1 − β).
#[derive(Clone, Debug)]
pub struct Sgd {
    momentum: f64,
    nesterov: bool,
    velocity: Option<Vector>,
    /// The last direction, where it is to be kept.
    update: Option<Vector>,
    keeps_update: bool,
}

impl Sgd {
    /// β in [0, 1); 0 is plain SGD.
    pub fn new(momentum: f64, nesterov: bool) -> Self {
        Self { momentum, nesterov, velocity: None, update: None, keeps_update: false }
    }

    /// Keeps the direction of the last update, or not.
    pub fn keeping_update(self, keeps_update: bool) -> Self {
        Self { keeps_update, ..self }
    }

    /// Goes on with this u and this direction of the last update.
    pub(crate) fn restore(&mut self, velocity: Option<Vector>, update: Option<Vector>) {
        self.velocity = velocity;
        self.update = update;
    }

    /// The direction of the last update, θ before it less θ after it over η, where it is kept.
    pub fn update(&self) -> Option<&Vector> {
        self.update.as_ref()
    }

    /// u, once a step with momentum was made.
    pub fn velocity(&self) -> Option<&Vector> {
        self.velocity.as_ref()
    }

    /// The parameters after one update with gradient g and learning rate η.
    pub fn step(&mut self, theta: &Vector, gradient: Vector, lr: f64) -> Vector {
        let direction = self.direction(gradient);
        let moved = theta.plus_scaled(-lr, &direction);
        self.update = self.keeps_update.then_some(direction);
        moved
    }

    fn direction(&mut self, gradient: Vector) -> Vector {
        if self.momentum == 0.0 {
            return gradient;
        }
        let velocity = match &self.velocity {
            None => gradient.clone(),
            Some(old) => gradient.plus_scaled(self.momentum, old),
        };
        let direction = if self.nesterov { gradient.plus_scaled(self.momentum, &velocity) } else { velocity.clone() };
        self.velocity = Some(velocity);
        direction
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
            let mut sgd = Sgd::new(momentum, nesterov);
            let first = sgd.step(&vector(0.0), vector(1.0), 0.1);
            let second = sgd.step(&first, vector(2.0), 0.1);
            for (theta, expected) in [first, second].iter().zip(expected) {
                assert!((numbers(theta)[0] - expected).abs() < 1e-15, "β {momentum} nesterov {nesterov}: {theta:?}");
            }
        }
    }
}
