//! How long a run takes: what its parts take, timed, times how many of them there are.

mod counts;
mod extrapolation;

use std::{collections::BTreeMap, time::Instant};

use burn::tensor::Device;
use saltflat_models::Vector;

pub use self::counts::Counts;
use self::extrapolation::FIRST;
pub(crate) use self::extrapolation::extrapolate;
use crate::{MeasurementPoint, Plan, TrainError, Trainer, measure::seconds_by_group, measure_schedule::measures_noise};

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
    ///
    /// # Errors
    /// If the device fails.
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
    (first..plan.steps.min(FIRST_STEPS)).find(|&step| measures_noise(plan, step) == noise_is_measured)
}

/// Seconds of step number `step`, on a full batch.
fn seconds_of_step(trainer: &Trainer<'_>, step: u64, budget: f64) -> Result<f64, TrainError> {
    let plan = trainer.plan();
    let indices: Vec<u32> = (0..plan.batch_size as u32).collect();
    // With the noise's strength known, as after the first steps.
    let mut known = trainer.clone();
    known.make_step_number(step, &indices[..indices.len().min(FIRST)]);
    extrapolate(
        plan.batch_size,
        budget,
        |size| size as f64,
        |size| {
            let mut trainer = known.clone();
            wait(&plan.device)?;
            let clock = Instant::now();
            trainer.make_step_number(step, &indices[..size]);
            wait(&plan.device)?;
            Ok(clock.elapsed().as_secs_f64())
        },
    )
}

fn wait(device: &Device) -> Result<(), TrainError> {
    device.sync().map_err(|e| TrainError::Training(format!("{e:?}")))
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
