//! The loss along one or two directions.

use saltflat_models::{Layout, Vector};
use saltflat_random::Key;

use crate::{MetricError, Objective, error::read, evaluate, operator::number};

/// L(θ + t d) at each t: the loss along a direction, counted from its floor. Costs a third of a gradient a point.
///
/// # Errors
/// [`MetricError::Device`] where the sums cannot be read.
pub fn slice(objective: &Objective<'_>, theta: &Vector, d: &Vector, steps: &[f64]) -> Result<Vec<f64>, MetricError> {
    steps.iter().map(|&t| Ok(evaluate(objective, &theta.plus_scaled(t, d))?.loss)).collect()
}

/// L(θ + s d + t e), a row for each t and a column for each s.
///
/// # Errors
/// [`MetricError::Device`] where the sums cannot be read.
pub fn plane(
    objective: &Objective<'_>,
    theta: &Vector,
    [d, e]: [&Vector; 2],
    steps: [&[f64]; 2],
) -> Result<Vec<Vec<f64>>, MetricError> {
    steps[1].iter().map(|&t| slice(objective, &theta.plus_scaled(t, e), d, steps[0])).collect()
}

/// A random direction in which every filter has the norm of θ's filter (Li et al. 2018, arXiv 1712.09913): a filter is the
/// part of a tensor with one index on its first axis. Tensors of one axis (biases, normalisation) do not move.
///
/// # Errors
/// [`MetricError::Device`] where the norms cannot be read.
pub fn filter_normalised(layout: &Layout, theta: &Vector, key: Key) -> Result<Vector, MetricError> {
    let random = theta.normal_like(key);
    let mut parts = Vec::new();
    for (spec, (d, w)) in layout.parameters.iter().zip(random.parts().iter().zip(theta.parts())) {
        let filters = match spec.shape.as_slice() {
            [] | [_] => {
                parts.push(w.zeros_like());
                continue;
            }
            [filters, ..] => *filters,
        };
        let each = spec.len() / filters.max(1);
        let rows = d.clone().reshape([filters, each]);
        let norm = |t: burn::tensor::Tensor<2>| t.square().sum_dim(1).sqrt();
        let factor =
            norm(w.clone().reshape([filters, each])) / norm(rows.clone()).add_scalar(f64::from(f32::MIN_POSITIVE));
        parts.push((rows * factor).flatten(0, 1));
    }
    let direction = Vector::new(parts);
    read("the norm of a direction", direction.norm_squared())?;
    Ok(direction)
}

/// The component of e that is orthogonal to d, with e's length, so that a plane is not skewed.
///
/// # Errors
/// [`MetricError::Device`] where inner products cannot be read.
pub fn orthogonal_to(e: &Vector, d: &Vector) -> Result<Vector, MetricError> {
    let (along, square, length) = (number(e.dot(d))?, number(d.norm_squared())?, number(e.norm_squared())?.sqrt());
    if square.is_nan() || square <= 0.0 {
        return Ok(e.clone());
    }
    let rest = e.plus_scaled(-along / square, d);
    let left = number(rest.norm_squared())?.sqrt();
    Ok(if left > 1e-6 * length { rest.scale(length / left) } else { rest })
}
