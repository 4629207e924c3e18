//! When a run measures, as a function of the epoch and the step.

use crate::Plan;

/// Number of the epoch in which this many steps end; 1 is the first.
pub(crate) fn epoch_of(plan: &Plan, steps: u64) -> u64 {
    steps.div_ceil(plan.steps_per_epoch.max(1))
}

/// True if a measurement is due after this many epochs.
pub(crate) fn measures_after_epoch(plan: &Plan, epochs: u64) -> bool {
    let metrics = &plan.config.metrics;
    metrics.every_steps.is_none() && epochs.is_multiple_of(metrics.every_epochs)
        || metrics.at_ends && epochs == epoch_of(plan, plan.steps)
}

/// True if the noise of the step with this number is measured for the report: in an epoch that ends with a measurement, every so many
/// steps.
pub(crate) fn reports_noise(plan: &Plan, step: u64) -> bool {
    let metrics = &plan.config.metrics;
    let Some(strength) = &metrics.noise_strength else { return false };
    let epoch = step / plan.steps_per_epoch.max(1) + 1;
    step.is_multiple_of(strength.every_steps) && (metrics.every_steps.is_some() || measures_after_epoch(plan, epoch))
}

/// True if the step with this number measures the noise for the report or to control its strength. The first step of a run measures it in
/// any case if its strength is to be controlled.
pub(crate) fn measures_noise(plan: &Plan, step: u64) -> bool {
    let is_controlled =
        || plan.config.noise.iter().any(|one| one.strength.is_some_and(|strength| step.is_multiple_of(strength.every)));
    reports_noise(plan, step) || is_controlled()
}
