//! How long a run takes: what its parts take, timed, times how many of them there are.

mod extrapolation;

use std::{collections::BTreeMap, time::Instant};

use burn::tensor::Device;
use saltflat_models::Vector;

use self::extrapolation::FIRST;
pub(crate) use self::extrapolation::extrapolate;
use crate::{
    MeasurementPoint, Plan, TrainError, Trainer,
    config::{Config, MetricsConfig},
    measure::seconds_by_group,
};

/// So many steps are searched for one of a kind.
const FIRST_STEPS: u64 = 1_000_000;

/// Seconds of the parts of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Times {
    /// Seconds of a step.
    pub step: f64,
    /// Seconds of a step in which the strength of the noise is measured.
    pub noise_step: f64,
    /// Seconds of each group of a measurement.
    pub groups: BTreeMap<&'static str, f64>,
}

impl Times {
    /// Times steps and measurements of a plan from this start, in some `budget` seconds for each kind of step and half as many for each
    /// group. What takes longer is timed in part, and scaled.
    pub fn measure(plan: &Plan, start: &(Vector, Vector), budget: f64) -> Result<Self, TrainError> {
        let trainer = Trainer::new(plan, start.clone());
        let [step, noise_step] = [false, true].map(|noise| match first_step(plan, noise) {
            Some(step) => seconds_of_step(&trainer, step, budget).map(Some),
            None => Ok(None),
        });
        let (step, noise_step) = (step?, noise_step?);
        let point = MeasurementPoint { theta: &start.0, buffers: &start.1, update: None, step: 0 };
        let groups = seconds_by_group(plan, &plan.config.metrics, point, budget / 2.0)?;
        let either = step.or(noise_step).unwrap_or(0.0);
        Ok(Self { step: step.unwrap_or(either), noise_step: noise_step.unwrap_or(either), groups })
    }

    /// The mean of several timings of one plan.
    pub fn mean(all: &[Self]) -> Self {
        let mean = |of: &dyn Fn(&Self) -> f64| all.iter().map(of).sum::<f64>() / all.len().max(1) as f64;
        let group = |name: &'static str| (name, mean(&|times| times.groups.get(name).copied().unwrap_or(0.0)));
        let groups =
            all.first().map_or_else(BTreeMap::new, |first| first.groups.keys().map(|name| group(name)).collect());
        Self { step: mean(&|times| times.step), noise_step: mean(&|times| times.noise_step), groups }
    }

    /// Seconds of all steps.
    pub fn of_steps(&self, counts: &Counts) -> f64 {
        counts.steps as f64 * self.step + counts.noise_steps * (self.noise_step - self.step).max(0.0)
    }

    /// Seconds of all measurements.
    pub fn of_measurements(&self, counts: &Counts) -> f64 {
        let of = |(group, seconds): (&&str, &f64)| counts.groups.get(group).copied().unwrap_or(0) as f64 * seconds;
        self.groups.iter().map(of).sum()
    }

    /// Seconds of the whole run.
    pub fn total(&self, counts: &Counts) -> f64 {
        self.of_steps(counts) + self.of_measurements(counts)
    }
}

/// The first step in which the strength of the noise is measured, or in which it is not; absent if there is none among the first
/// ones, or at all.
fn first_step(plan: &Plan, noise_is_measured: bool) -> Option<u64> {
    // The first step of a run measures a noise of a given strength in any case, since nothing is known of it yet.
    let first = u64::from(plan.steps > 1);
    (first..plan.steps.min(FIRST_STEPS)).find(|&step| plan.measures_noise(step) == noise_is_measured)
}

/// Seconds of step number `step`, on a full batch.
fn seconds_of_step(trainer: &Trainer<'_>, step: u64, budget: f64) -> Result<f64, TrainError> {
    let plan = trainer.plan();
    let indices: Vec<u32> = (0..plan.batch_size as u32).collect();
    // With the noise's strength known, as after the first steps.
    let mut known = trainer.clone();
    known.step = step;
    known.make_step(&indices[..indices.len().min(FIRST)]);
    extrapolate(
        plan.batch_size,
        budget,
        |size| size as f64,
        |size| {
            let mut trainer = known.clone();
            trainer.step = step;
            wait(&plan.device)?;
            let clock = Instant::now();
            trainer.make_step(&indices[..size]);
            wait(&plan.device)?;
            Ok(clock.elapsed().as_secs_f64())
        },
    )
}

fn wait(device: &Device) -> Result<(), TrainError> {
    device.sync().map_err(|e| TrainError::Training(format!("{e:?}")))
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_takes_what_its_parts_take() {
        let groups = [("evaluate", 0.5), ("trace", 2.0)].into();
        let times = Times { step: 0.25, noise_step: 0.375, groups };
        let counts = Counts { steps: 100, noise_steps: 40.0, groups: [("evaluate", 6), ("trace", 3)].into() };
        assert_eq!(times.of_steps(&counts), 60.0 * 0.25 + 40.0 * 0.375);
        assert_eq!(times.total(&counts), 30.0 + 6.0 * 0.5 + 3.0 * 2.0);
    }
}
