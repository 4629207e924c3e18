//! Gradient and Hessian-vector products.

use saltflat_models::{Pass, Vector};

use crate::Objective;

/// ∇L(θ). Costs one gradient.
pub fn gradient(objective: &Objective<'_>, theta: &Vector) -> Vector {
    objective.sum_of_gradients(theta, |theta, batch| {
        let outputs = objective.network.value(theta, objective.buffers, batch.inputs);
        Some(objective.loss.value(outputs, batch.targets))
    })
}

/// ∇²L(θ) v, exactly: the backward pass of the directional derivative ∇L·v (reverse over forward). Costs 8/3 of a gradient.
pub fn hessian_vector_product(objective: &Objective<'_>, theta: &Vector, v: &Vector) -> Vector {
    objective.sum_of_gradients(theta, |theta, batch| {
        let mut pass = Pass::jet(theta, objective.buffers, v, 1);
        let outputs = objective.network.forward(batch.inputs, &mut pass);
        objective.loss.first(&outputs, batch.targets)
    })
}
