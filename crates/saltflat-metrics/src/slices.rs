//! The loss along one or two directions.

use saltflat_models::{Layout, Pass, Vector};
use saltflat_random::Key;

use crate::{MetricError, Objective, error::read, evaluate, operator::number};

/// A direction of a slice.
#[derive(Clone, Debug)]
pub struct Direction {
    parameters: Vector,
    /// How the buffers change on the way to other weights; absent: they stay.
    buffers: Option<Vector>,
}

impl Direction {
    /// A direction of the parameters alone: the buffers stay as they are.
    pub fn of_parameters(d: Vector) -> Self {
        Self { parameters: d, buffers: None }
    }

    /// The direction from one pair of parameters and buffers to another.
    pub fn between([theta, buffers]: [&Vector; 2], [other, other_buffers]: [&Vector; 2]) -> Self {
        let difference = |to: &Vector, from: &Vector| to.plus_scaled(-1.0, from);
        let buffers = (!buffers.is_empty()).then(|| difference(other_buffers, buffers));
        Self { parameters: difference(other, theta), buffers }
    }

    /// True if the buffers change along it.
    pub fn moves_buffers(&self) -> bool {
        self.buffers.is_some()
    }
}

/// How the running statistics of batch normalisation, and other buffers, follow from the point of a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistics {
    /// Between the weights that the directions lead to, the buffers are interpolated linearly, as the parameters are: at either end they are
    /// those that were stored there. Outside, where a variance could become negative, they are those of the nearest point between (in the
    /// coordinates in which the weights are 0 and 1). Along other directions they stay, as for the Hessian.
    Interpolated,
    /// Those of the training samples at the point itself: the means over batches of this size, weighted by the batches' sizes (`bn_update` of
    /// Izmailov et al. 2018, arXiv 1803.05407, as Garipov et al. 2018, arXiv 1802.10026, use it on their curves).
    Recomputed {
        /// Samples of a batch.
        batch: usize,
    },
}

/// L(θ + t d) at each t: the loss along a direction, less its smallest possible value. Costs a third of a gradient a point.
///
/// # Errors
/// [`MetricError::Device`] if the sums cannot be read, and [`MetricError::Interrupted`].
pub fn slice(
    objective: &Objective<'_>,
    theta: &Vector,
    d: &Direction,
    steps: &[f64],
    statistics: Statistics,
) -> Result<Vec<f64>, MetricError> {
    let at = |&t: &f64| {
        let buffers = moved(objective.buffers, [(d, t.clamp(0.0, 1.0))]);
        loss(objective, &theta.plus_scaled(t, &d.parameters), buffers, statistics)
    };
    steps.iter().map(at).collect()
}

/// L(θ + s d + t e'), a row for each t and a column for each s, where e' is the part of e that is orthogonal to d, with e's length, so that
/// the plane is not skewed.
///
/// # Errors
/// [`MetricError::Device`] if the sums cannot be read, and [`MetricError::Interrupted`].
pub fn plane(
    objective: &Objective<'_>,
    theta: &Vector,
    [d, e]: [&Direction; 2],
    steps: [&[f64]; 2],
    statistics: Statistics,
) -> Result<Vec<Vec<f64>>, MetricError> {
    let Orthogonal { vector, scale, along } = Orthogonal::new(&e.parameters, &d.parameters)?;
    let row = |&t: &f64| {
        let theta = theta.plus_scaled(t, &vector);
        let at = |&s: &f64| {
            // s d + t e' = (s − t · scale · along) d + t · scale · e.
            let [u, v] = nearest_between([s - t * scale * along, t * scale]);
            let buffers = moved(objective.buffers, [(d, u), (e, v)]);
            loss(objective, &theta.plus_scaled(s, &d.parameters), buffers, statistics)
        };
        steps[0].iter().map(at).collect()
    };
    steps[1].iter().map(row).collect()
}

/// The point of the triangle u, v ≥ 0, u + v ≤ 1 that is the nearest to this one.
fn nearest_between([u, v]: [f64; 2]) -> [f64; 2] {
    let [x, y] = [u.max(0.0), v.max(0.0)];
    if x + y <= 1.0 {
        return [x, y];
    }
    let x = (0.5 * (1.0 + u - v)).clamp(0.0, 1.0);
    [x, 1.0 - x]
}

/// The buffers after so much of each direction; absent if none of the directions changes them.
fn moved<const N: usize>(buffers: &Vector, along: [(&Direction, f64); N]) -> Option<Vector> {
    let mut moved = None;
    for (direction, t) in along {
        if let Some(d) = &direction.buffers {
            moved = Some(moved.as_ref().unwrap_or(buffers).plus_scaled(t, d));
        }
    }
    moved
}

fn loss(
    objective: &Objective<'_>,
    theta: &Vector,
    buffers: Option<Vector>,
    statistics: Statistics,
) -> Result<f64, MetricError> {
    let mut buffers = buffers.unwrap_or_else(|| objective.buffers.clone());
    if let Statistics::Recomputed { batch } = statistics {
        buffers = recomputed(objective, theta, buffers, batch)?;
    }
    Ok(evaluate(&objective.with_buffers(&buffers), theta)?.loss)
}

/// The running statistics of batches of this size that together are all samples of the set; other buffers as they are.
fn recomputed(
    objective: &Objective<'_>,
    theta: &Vector,
    mut buffers: Vector,
    batch: usize,
) -> Result<Vector, MetricError> {
    let all: Vec<u32> = (0..objective.samples.len() as u32).collect();
    let mut seen = 0;
    while seen < all.len() && objective.network.couples_samples() {
        // A single sample may have no variance: it goes with the batch before it.
        let end = if all.len() - seen <= batch + 1 { all.len() } else { seen + batch };
        let inputs = objective.samples.batch(&all[seen..end]).inputs;
        let mut pass = Pass::value(theta, &buffers).averaging((end - seen) as f64 / end as f64);
        objective.network.forward_with(inputs, &mut pass, &|| objective.interrupt.check())?;
        buffers = pass.updated_buffers();
        seen = end;
    }
    Ok(buffers)
}

/// A random direction in which every filter has the norm of θ's filter (Li et al. 2018, arXiv 1712.09913): a filter is the
/// part of a tensor with one index on its first axis. Tensors of one axis (biases, normalisation) do not move.
///
/// # Errors
/// [`MetricError::Device`] if the norms cannot be read.
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

/// scale · (e − along · d): the component of e that is orthogonal to d, with e's length.
struct Orthogonal {
    vector: Vector,
    scale: f64,
    along: f64,
}

impl Orthogonal {
    fn new(e: &Vector, d: &Vector) -> Result<Self, MetricError> {
        let (product, square, length) =
            (number(e.dot(d))?, number(d.norm_squared())?, number(e.norm_squared())?.sqrt());
        if square.is_nan() || square <= 0.0 {
            return Ok(Self { vector: e.clone(), scale: 1.0, along: 0.0 });
        }
        let along = product / square;
        let rest = e.plus_scaled(-along, d);
        let left = number(rest.norm_squared())?.sqrt();
        Ok(match left > 1e-6 * length {
            true => Self { vector: rest.scale(length / left), scale: length / left, along },
            false => Self { vector: rest, scale: 1.0, along },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_stay_between_the_weights() {
        for (point, expected) in [
            ([0.2, 0.3], [0.2, 0.3]),
            ([-1.0, 0.4], [0.0, 0.4]),
            ([-1.0, -2.0], [0.0, 0.0]),
            ([0.5, 1.5], [0.0, 1.0]),
            ([0.75, 0.75], [0.5, 0.5]),
            ([2.0, -1.0], [1.0, 0.0]),
            ([3.0, 2.5], [0.75, 0.25]),
        ] {
            assert_eq!(nearest_between(point), expected, "{point:?}");
        }
    }
}
