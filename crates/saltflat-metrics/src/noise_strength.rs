//! Strength of the label noise over an epoch's steps.

use burn::tensor::Tensor;
use saltflat_models::{Network, Pass, Vector};

use crate::{Estimate, MetricError, error::read};

/// ∇L̂ − ∇L̄ on a batch: the gradient with the drawn targets less the gradient with the expected ones, both at the same θ
/// (Damian, Ma, Lee 2021, appendix D). Both losses are linear in the target up to a constant, so the difference is
/// Jᵀ(q − q̂)/B, from one backward pass and without cancellation.
///
/// Shapes: inputs `[batch, channels, height, width]`, targets `[batch, C]`. Costs one gradient. Batch normalisation acts
/// as in the training step.
pub fn label_noise_gradient(
    network: &Network,
    theta: &Vector,
    buffers: &Vector,
    inputs: Tensor<4>,
    expected: Tensor<2>,
    drawn: Tensor<2>,
) -> Vector {
    let batch = inputs.dims()[0] as f64;
    let leaves = theta.leaves();
    let outputs = network.forward(inputs, &mut Pass::value(&leaves, buffers).training()).value;
    let mut gradients = (outputs * (expected - drawn)).sum().mul_scalar(1.0 / batch).backward();
    leaves.take_gradients(&mut gradients)
}

/// trace_from_noise = mean over steps of B‖∇L̂ − ∇L̄‖²/σ², σ² the variance of additive noise on real targets and 1 for
/// flipped labels; [the closed form](crate::expected_label_noise) says where its expectation is tr H. The squares stay on the
/// device until the epoch ends.
#[derive(Clone, Debug, Default)]
pub struct NoiseStrength {
    squares: Vec<Tensor<1>>,
}

impl NoiseStrength {
    /// Adds a step with this [`label_noise_gradient`], times `factor`: B for flipped labels, B/σ² for additive noise.
    pub fn record(&mut self, noise: &Vector, factor: f64) {
        self.squares.push(noise.norm_squared().mul_scalar(factor));
    }

    /// True before the first.
    pub fn is_empty(&self) -> bool {
        self.squares.is_empty()
    }

    /// The squares so far, times their factors, `[steps]`; absent before the first.
    pub fn squares(&self) -> Option<Tensor<1>> {
        (!self.squares.is_empty()).then(|| Tensor::cat(self.squares.clone(), 0))
    }

    /// Goes on after these [`squares`](Self::squares).
    pub fn after(squares: Option<Tensor<1>>) -> Self {
        Self { squares: squares.into_iter().collect() }
    }

    /// The epoch's estimate, with the steps as probes, and a fresh start for the next epoch.
    ///
    /// # Errors
    /// [`MetricError::Device`] if the squares cannot be read.
    pub fn take(&mut self) -> Result<Estimate, MetricError> {
        let Some(squares) = std::mem::take(self).squares() else {
            return Ok(Estimate::absent("no step of this epoch was measured"));
        };
        let squares = read("trace_from_noise", squares)?;
        Ok(Estimate::of_probes(&squares))
    }
}
