//! The loss that is measured, as rows and messages name it.

use saltflat_models::{Loss, LossKind};
use saltflat_record::RecordedLoss;
use serde::{Deserialize, Serialize};

use crate::Plan;

/// The loss of which a measurement is: every number of its row but the accuracies and the norm of the weights depends on it,
/// so that rows of different losses are not comparable.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeasuredLoss {
    /// Cross-entropy or square loss.
    pub kind: LossKind,
    /// Label smoothing s.
    pub smoothing: f64,
    /// The smallest value that the smoothed loss can have; `loss` and `test_loss` are counted from it.
    pub floor: f64,
    /// Factor of ½‖θ‖² in the loss: 0, there is no weight decay.
    pub weight_decay: f64,
}

impl MeasuredLoss {
    /// What this plan measures.
    pub fn of(plan: &Plan) -> Self {
        let loss = plan.measured_loss();
        let floor = loss.floor(plan.network.outputs());
        Self { kind: loss.kind, smoothing: loss.smoothing, floor, weight_decay: 0.0 }
    }
}

impl From<MeasuredLoss> for RecordedLoss {
    fn from(MeasuredLoss { kind, smoothing, floor, weight_decay }: MeasuredLoss) -> Self {
        Self { kind: kind.name().into(), smoothing, floor, weight_decay }
    }
}

impl std::fmt::Display for MeasuredLoss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kind, smoothing, floor, weight_decay } = *self;
        write!(f, "{}", Loss { kind, smoothing })?;
        if floor != 0.0 {
            write!(f, ", counted from its floor {floor:.6}")?;
        }
        if weight_decay != 0.0 {
            write!(f, ", weight decay {weight_decay}")?;
        }
        Ok(())
    }
}
