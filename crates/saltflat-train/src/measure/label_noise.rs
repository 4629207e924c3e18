//! The label noise of a run, on which the strength of the implicit regularization depends.

use saltflat_metrics::{FLIPS_WITH_SQUARE_LOSS, LabelNoiseScale};
use saltflat_models::LossKind;
use saltflat_noise::ActsOn;

use crate::Plan;

/// The label noise of the run before the schedules of noise and learning rate, or why the theory has no λ for it.
pub(super) fn scale(plan: &Plan) -> Result<LabelNoiseScale, String> {
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
