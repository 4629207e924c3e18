//! How many steps and measurements a run has.

use std::collections::BTreeMap;

use crate::config::{Config, MetricsConfig};

/// How many steps and measurements a run makes, if no goal ends it before.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts {
    /// Steps.
    pub steps: u64,
    /// Steps in which the strength of the noise is measured, up to a fraction of an epoch.
    pub noise_steps: f64,
    /// Measurements of each group.
    pub groups: BTreeMap<&'static str, u64>,
}

impl Counts {
    /// The counts of a run of `steps` steps.
    pub fn new(config: &Config, steps: u64, steps_per_epoch: u64) -> Self {
        let metrics = &config.metrics;
        let measurements = if metrics.is_on() { measurements(metrics, steps, steps_per_epoch.max(1)) } else { 0 };
        let groups = metrics.schedule().map(|(group, every)| (group.group().name, measurements.div_ceil(every)));
        Self { steps, noise_steps: noise_steps(config, steps, steps_per_epoch.max(1)), groups: groups.collect() }
    }

    /// Measurements, of whichever group.
    pub fn measurements(&self) -> u64 {
        self.groups.values().copied().max().unwrap_or(0)
    }
}

/// At both ends, and in between every so many epochs or steps.
fn measurements(metrics: &MetricsConfig, steps: u64, steps_per_epoch: u64) -> u64 {
    let (length, every) = match metrics.every_steps {
        Some(every) => (steps, every.max(1)),
        None => (steps / steps_per_epoch, metrics.every_epochs.max(1)),
    };
    // An epoch that is cut short ends with the run.
    let cut_short = metrics.every_steps.is_none() && !steps.is_multiple_of(steps_per_epoch);
    let ends_with_one = length.is_multiple_of(every) && !cut_short;
    let ends = if metrics.at_ends { 1 + u64::from(!ends_with_one) } else { 0 };
    length / every + ends
}

/// Steps in which the noise is measured for the report, in epochs that end with a measurement, or to control its strength (of several noises
/// that are controlled, as often as the one that is measured most often).
fn noise_steps(config: &Config, steps: u64, steps_per_epoch: u64) -> f64 {
    let (metrics, all) = (&config.metrics, steps as f64);
    let reported = metrics.noise_strength.as_ref().map(|strength| strength.every_steps.max(1));
    let controlled = config.noise.iter().filter_map(|one| one.strength.map(|strength| strength.every.max(1))).min();
    let within = match metrics.every_steps {
        Some(_) => all,
        None => {
            let epochs = steps.div_ceil(steps_per_epoch);
            let every = metrics.every_epochs.max(1);
            let last = u64::from(metrics.at_ends && !epochs.is_multiple_of(every));
            (((epochs / every + last) as f64) * steps_per_epoch as f64).min(all)
        }
    };
    let of_reported = reported.map_or(0.0, |every| within / every as f64);
    let of_controlled = controlled.map_or(0.0, |every| all / every as f64);
    // Those that are both.
    let both = reported.zip(controlled).map_or(0.0, |(a, b)| within / (a as f64 * (b / gcd(a, b)) as f64));
    of_reported + of_controlled - both
}

/// Greatest common divisor, by Euclid.
fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
