//! Noise at the network's outputs: every gradient noise of the form (1/B) Σᵢ Jᵢᵀ νᵢ.

use std::ops::Range;

use burn::tensor::{DType, Device, Tensor, TensorData, activation};
use saltflat_models::{Loss, LossKind, Vector};

use crate::targets::Targets;

/// How a step's draws become the cotangents ν `[batch, C]` that are added to the output gradient r = ∂ℓ/∂f.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputForm {
    /// νᵢ is the draw.
    Direct,
    /// νᵢ = wᵢ rᵢ with a weight w a sample: the noise is (1/B) Σᵢ wᵢ gᵢ.
    Residual,
    /// νᵢ = Mᵢᵀ zᵢ with a root of the loss's Hessian in the outputs, Aᵢ = Mᵢᵀ Mᵢ: of covariance Aᵢ.
    CurvatureRoot,
}

/// The draws of a whole step, on the host; microbatches take their rows, so cutting a batch changes no draw.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputNoise {
    /// `[batch, width]`, row-major.
    pub values: Vec<f32>,
    /// C, or 1 for weights.
    pub width: usize,
    /// How ν follows from them.
    pub form: OutputForm,
}

impl OutputNoise {
    /// The gradient noise of drawn targets: ν = q − q̂, for both losses.
    pub fn of_targets(expected: &Targets, drawn: &Targets) -> Self {
        let values = expected.values.iter().zip(&drawn.values).map(|(q, drawn)| q - drawn).collect();
        Self { values, width: expected.outputs, form: OutputForm::Direct }
    }

    /// ν `[rows, C]` for these rows of the batch, from their outputs and targets `[rows, C]` (neither is differentiated).
    pub fn cotangent(&self, loss: &Loss, outputs: Tensor<2>, target: Tensor<2>, rows: Range<usize>) -> Tensor<2> {
        let draws = self.rows(rows, &outputs.device(), outputs.dtype());
        match (self.form, loss.kind) {
            (OutputForm::Direct, _) | (OutputForm::CurvatureRoot, LossKind::Square) => draws,
            (OutputForm::Residual, _) => loss.gradient(outputs, target) * draws,
            // M = diag √p − √p pᵀ, so Mᵀz = √p ∘ z − p ⟨√p, z⟩.
            (OutputForm::CurvatureRoot, LossKind::CrossEntropy) => {
                let p = activation::softmax(outputs, 1);
                let rooted = p.clone().sqrt() * draws;
                rooted.clone() - p * rooted.sum_dim(1)
            }
        }
    }

    /// (1/B) Σᵢ Jᵢᵀ νᵢ over these rows of a batch of B = `divisor` samples: the gradient noise, from one backward pass. `outputs`
    /// `[rows, C]` are differentiated with respect to `leaves`; the targets are the expected ones. Of drawn targets it is ∇L̂ − ∇L̄, the
    /// gradient with the drawn ones less that with the expected ones (Damian, Ma, Lee 2021, appendix D), without cancellation, since both
    /// losses are linear in the target up to a constant.
    pub fn gradient(
        &self,
        loss: &Loss,
        leaves: &Vector,
        outputs: Tensor<2>,
        target: Tensor<2>,
        rows: Range<usize>,
        divisor: usize,
    ) -> Vector {
        let cotangent = self.cotangent(loss, outputs.clone().without_autodiff(), target, rows);
        let objective = (outputs * cotangent).sum().mul_scalar(1.0 / divisor as f64);
        leaves.take_gradients(&mut objective.backward())
    }

    fn rows(&self, rows: Range<usize>, device: &Device, dtype: DType) -> Tensor<2> {
        let values = self.values[rows.start * self.width..rows.end * self.width].to_vec();
        Tensor::from_data(TensorData::new(values, [rows.len(), self.width]), (device, dtype))
    }
}
