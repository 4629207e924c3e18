//! How long a measurement takes, from parts of it.

use std::{collections::BTreeMap, time::Instant};

use saltflat_metrics::Interrupt;

use super::{
    context::{MeasurementPoint, MetricGroup},
    measurer::with_context,
    sizes::{MeasurementSizes, Memory},
};
use crate::{Plan, TrainError, config::MetricsConfig, timing::extrapolate};

/// Seconds that each group of `config` takes at a point. A group that takes longer than some `budget` seconds is timed on fewer samples
/// and probes, and scaled by its [cost](super::measurement_cost). A search for eigenvalues that did not converge within these is taken
/// to need eight products an eigenvalue.
pub(crate) fn seconds_by_group(
    plan: &Plan,
    config: &MetricsConfig,
    point: MeasurementPoint<'_>,
    budget: f64,
) -> Result<BTreeMap<&'static str, f64>, TrainError> {
    let groups = config.measured_groups();
    groups.map(|group| Ok((group.group().name, seconds(group, plan, config, point, budget)?))).collect()
}

fn seconds(
    group: &dyn MetricGroup,
    plan: &Plan,
    config: &MetricsConfig,
    point: MeasurementPoint<'_>,
    budget: f64,
) -> Result<f64, TrainError> {
    let (sizes, memory) = (MeasurementSizes::new(plan, config), Memory::new(plan, config));
    let samples = group.samples(&sizes);
    let full = samples.saturating_mul(group.repetitions());
    // Fewer samples first, then fewer repetitions; the whole is the group itself.
    let part = |size: usize| {
        let repetitions = (size / samples.max(1)).max(1);
        let part = || (sizes.part(size.min(samples).max(2), repetitions), group.with_repetitions(repetitions));
        (size < full).then(part)
    };
    // What has no cost in gradients is timed whole.
    let cost =
        |size: usize| part(size).map_or_else(|| group.cost(&sizes), |(sizes, group)| group.cost(&sizes)).max(1e-9);
    extrapolate(full.max(1), budget, cost, |size| {
        let part = part(size);
        let (sizes, group) = part.as_ref().map_or((sizes, group), |(sizes, group)| (*sizes, group.as_ref()));
        let microbatch = memory.microbatch.min(sizes.subset.max(sizes.train)).max(1);
        with_context(plan, Memory { microbatch, ..memory }, sizes, point, Interrupt::default(), |context| {
            group.prepare(context)?;
            let clock = Instant::now();
            group.measure(context)?;
            Ok(clock.elapsed().as_secs_f64())
        })
    })
}
