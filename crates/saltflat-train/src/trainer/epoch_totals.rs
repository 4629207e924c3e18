//! Sums over the samples of an epoch.

use burn::tensor::Tensor;
use saltflat_models::Vector;

use crate::{TrainError, step::BatchGradient};

/// Sums over an epoch's samples; they stay on the device until it ends.
#[derive(Clone, Debug, Default)]
pub(super) struct EpochSums {
    pub(super) loss: Option<Tensor<1>>,
    pub(super) correct: Option<Tensor<1>>,
    /// Of ‖ξ‖², over the steps in which it was measured.
    pub(super) noise: Option<Tensor<1>>,
    pub(super) noise_steps: u64,
    /// Of the samples' floors.
    pub(super) floor: f64,
    pub(super) samples: usize,
    /// Learning rate of the last step.
    pub(super) lr: f64,
}

/// An epoch's sums on the host.
pub(super) struct EpochTotals {
    /// Of the losses, counted from the floors.
    pub(super) loss: f64,
    /// Samples that were classified rightly, if that has a meaning.
    pub(super) correct: Option<f64>,
    /// ‖ξ‖² of the steps in which it was measured, if there are any.
    pub(super) noise: Option<f64>,
    /// Σ of θ and the buffers, which is finite if every one of them is.
    pub(super) weights: f64,
}

impl EpochSums {
    /// Adds a step of so many samples, whose loss is at least `floor`.
    pub(super) fn add(&mut self, found: &BatchGradient, floor: f64, samples: usize) {
        add_to(&mut self.loss, found.losses.clone());
        if let Some(correct) = &found.correct {
            add_to(&mut self.correct, correct.clone());
        }
        self.floor += floor * samples as f64;
        self.samples += samples;
    }

    /// Adds ‖ξ‖² of a step.
    pub(super) fn add_noise(&mut self, squared: Tensor<1>) {
        add_to(&mut self.noise, squared);
        self.noise_steps += 1;
    }

    /// Reads the sums, with the sum of the weights: the one host synchronisation of an epoch.
    pub(super) fn totals(&self, theta: &Vector, buffers: &Vector) -> Result<EpochTotals, TrainError> {
        let sums = self.loss.iter().chain(&self.correct).chain(&self.noise).cloned();
        let weights = theta.parts().iter().chain(buffers.parts()).map(|part| part.clone().sum());
        let all = Tensor::cat(sums.chain(weights).collect(), 0).without_autodiff();
        let all = all.try_into_vec_as::<f64>().map_err(|e| TrainError::Training(e.to_string()))?;
        let mut all = all.into_iter();
        Ok(EpochTotals {
            loss: self.loss.as_ref().and_then(|_| all.next()).unwrap_or(0.0) - self.floor,
            correct: self.correct.as_ref().and_then(|_| all.next()),
            noise: self.noise.as_ref().and_then(|_| all.next()),
            weights: all.sum(),
        })
    }
}

fn add_to(sum: &mut Option<Tensor<1>>, new: Tensor<1>) {
    *sum = Some(match sum.take() {
        Some(old) => old + new,
        None => new,
    });
}
