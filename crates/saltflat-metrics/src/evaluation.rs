//! Loss and accuracy of a split.

use burn::tensor::Tensor;
use saltflat_models::Vector;

use crate::{MetricError, Objective, Scoring, error::read, operator::number};

/// Loss and accuracy of a network on a set of samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// L less the smallest value that the smoothed loss can have.
    pub loss: f64,
    /// Part of the samples that are classified rightly, against clean labels; absent for real targets, and NaN if the loss is not
    /// finite: outputs that are not finite have no largest one.
    pub accuracy: Option<f64>,
}

/// ‖v‖; if its square is outside the range of the type, by way of v divided by its largest entry.
///
/// # Errors
/// [`MetricError::Device`] if the numbers cannot be read.
pub fn norm(v: &Vector) -> Result<f64, MetricError> {
    let square = number(v.norm_squared())?;
    // Squares of entries below the smallest normal number lose their digits.
    if (1e-28..f64::INFINITY).contains(&square) {
        return Ok(square.sqrt());
    }
    let largest = v.parts().iter().map(|part| part.clone().abs().max()).reduce(Tensor::max_pair).map(number);
    match largest.transpose()? {
        Some(largest) if (1e-37..f64::INFINITY).contains(&largest) => {
            Ok(largest * number(v.scale(1.0 / largest).norm_squared())?.sqrt())
        }
        _ => Ok(square.sqrt()),
    }
}

/// Loss and accuracy on the objective's samples. Costs a third of a gradient; one read from the device.
///
/// # Errors
/// [`MetricError::Device`] if the sums cannot be read, and [`MetricError::Interrupted`].
pub fn evaluate(objective: &Objective<'_>, theta: &Vector) -> Result<Evaluation, MetricError> {
    let scoring = objective.samples.scoring();
    let mut sums = Vec::new();
    for batch in objective.batches() {
        let batch = batch?;
        let outputs = objective.network.value(theta, objective.buffers, batch.inputs);
        sums.push(objective.loss.value(outputs.clone(), batch.targets.clone()).sum());
        sums.extend(scoring.correct(outputs, batch.targets));
    }
    let sums = read("evaluation", Tensor::cat(sums, 0))?;
    let (n, scored) = (objective.len() as f64, scoring != Scoring::None);
    let stride = if scored { 2 } else { 1 };
    let total = |offset: usize| sums.iter().skip(offset).step_by(stride).sum::<f64>() / n;
    let loss = total(0) - objective.loss.floor(objective.network.outputs());
    Ok(Evaluation { loss, accuracy: scored.then(|| if loss.is_finite() { total(1) } else { f64::NAN }) })
}

impl Scoring {
    /// Number of rightly classified samples of outputs and targets `[batch, C]`, one element; absent for real targets.
    pub fn correct(self, outputs: Tensor<2>, targets: Tensor<2>) -> Option<Tensor<1>> {
        let dtype = outputs.dtype();
        let hit = match self {
            Self::Class => outputs.argmax(1).equal(targets.argmax(1)),
            Self::Binary => outputs.greater_scalar(0.5).equal(targets.greater_scalar(0.5)),
            Self::None => return None,
        };
        Some(hit.float().sum().cast(dtype))
    }
}
