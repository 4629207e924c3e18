//! The strength of the implicit regularization by the run's label noise.

use saltflat_metrics::{Estimate, FLIPS_WITH_SQUARE_LOSS, LabelNoiseScale, effective_regularization};
use saltflat_models::LossKind;
use saltflat_noise::ActsOn;

use super::Work;
use crate::Plan;

impl Work<'_> {
    /// λ and λ/α. They are settings of the training, on the trained loss, whatever is measured.
    pub(super) fn effective_regularization(&mut self) {
        let optimizer = &self.plan.config.optimizer;
        let scale = scale(self.plan);
        let lambda = |strength: fn(LabelNoiseScale) -> Result<f64, String>| {
            let strength = scale.clone().and_then(strength);
            effective_regularization(strength, optimizer.lr, self.plan.batch_size, optimizer.momentum)
        };
        let values = [
            ("effective_regularization", lambda(LabelNoiseScale::variance)),
            ("regularization_per_curvature", lambda(LabelNoiseScale::ratio)),
        ];
        for (name, value) in values {
            self.put(name, value);
        }
    }

    /// R(θ) of classification losses from that of α = 1. It needs the Hessian of the loss that the noise belongs to.
    pub(super) fn per_curvature(&self, regularizer: Estimate) -> Estimate {
        let is_trained = self.plan.measured_loss().is_same_as(&self.plan.loss);
        match scale(self.plan).and_then(LabelNoiseScale::alpha) {
            Ok(_) if !is_trained => {
                Estimate::absent("the measured loss is not the one that is trained with label noise")
            }
            Ok(alpha) => regularizer.times(1.0 / alpha),
            Err(reason) => Estimate::absent(reason),
        }
    }
}

/// The label noise of the run before the schedules of noise and learning rate, or why the theory has no λ for it.
fn scale(plan: &Plan) -> Result<LabelNoiseScale, String> {
    let config = &plan.config;
    let one = config.noise.only_noise()?;
    let (noise, classes) = (&one.noise, plan.network.outputs());
    let scale = match (noise.target_sigma(), plan.loss.kind) {
        _ if noise.properties().acts_on != ActsOn::Targets => return Err("the run has no label noise".into()),
        _ if !noise.randomises_targets() => {
            return Err("label smoothing draws no labels, so there is no label noise".into());
        }
        (Some(sigma), _) => LabelNoiseScale::RealTargets { variance: sigma.powi(2) },
        (None, LossKind::CrossEntropy) => {
            LabelNoiseScale::Flips { classes, probability: noise.smoothing(classes, 1.0) }
        }
        (None, LossKind::Square) => return Err(FLIPS_WITH_SQUARE_LOSS.into()),
    };
    if one.strength.is_some() {
        return Err("noise.strength scales the label noise by a factor that changes from step to step".into());
    }
    if config.optimizer.nesterov {
        return Err("the theory is about heavy-ball momentum, and optimizer.nesterov is true".into());
    }
    if config.optimizer.sam.is_some() {
        return Err("the theory is about plain SGD, and optimizer.sam is on".into());
    }
    Ok(scale)
}
