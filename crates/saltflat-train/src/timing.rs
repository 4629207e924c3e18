//! How long a run takes: what its parts take, timed, times how many of them there are.

mod counts;

use std::{collections::BTreeMap, time::Instant};

use burn::tensor::Device;
use saltflat_models::Vector;

pub use self::counts::Counts;
use crate::{Plan, Point, TrainError, Trainer, measure::seconds_by_group};

/// Samples with which a timing begins.
const FIRST: usize = 4;

/// How much larger the next timed part is at most.
const GROWTH: usize = 16;

/// Repetitions of the whole at most.
const REPETITIONS: usize = 200;

/// Seconds of the parts of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Times {
    /// A step.
    pub step: f64,
    /// A step in which the strength of the noise is measured.
    pub noise_step: f64,
    /// Each group of a measurement.
    pub groups: BTreeMap<&'static str, f64>,
}

impl Times {
    /// Times steps and measurements of a plan from this start, in some `budget` seconds for each kind of step and half as many for each
    /// group. What takes longer is timed in part, and scaled.
    ///
    /// # Errors
    /// Where the device fails.
    pub fn measure(plan: &Plan, start: &(Vector, Vector), budget: f64) -> Result<Self, TrainError> {
        let trainer = Trainer::new(plan, start.clone());
        let [step, noise_step] = [false, true].map(|noise| match trainer.first_step(noise) {
            Some(step) => seconds_of_step(&trainer, step, budget).map(Some),
            None => Ok(None),
        });
        let (step, noise_step) = (step?, noise_step?);
        let point = Point { theta: &start.0, buffers: &start.1, update: None, step: 0 };
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

/// Seconds of step number `step`, on a full batch.
fn seconds_of_step(trainer: &Trainer<'_>, step: u64, budget: f64) -> Result<f64, TrainError> {
    let plan = trainer.plan();
    let indices: Vec<u32> = (0..plan.batch_size as u32).collect();
    // With the noise's strength known, as after the first steps.
    let mut known = trainer.clone();
    known.make_step_number(step, &indices[..indices.len().min(FIRST)]);
    extrapolated(
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

/// Seconds of a work of the size `full`: `work` does a part of a size and gives its seconds, `cost` says what a part costs in any
/// unit. Parts grow until the whole is done or the next one would take longer than `budget` seconds; the last one is scaled by the
/// costs. The whole is repeated within the budget: the first time it may have been cold.
pub(crate) fn extrapolated(
    full: usize,
    budget: f64,
    cost: impl Fn(usize) -> f64,
    mut work: impl FnMut(usize) -> Result<f64, TrainError>,
) -> Result<f64, TrainError> {
    let mut size = FIRST.min(full);
    loop {
        let seconds = work(size)?;
        if size == full {
            let (mut spent, mut times) = (0.0, 0);
            while times < REPETITIONS && spent + seconds <= budget {
                spent += work(size)?;
                times += 1;
            }
            return Ok(if times > 0 { spent / times as f64 } else { seconds });
        }
        let growth = (budget / seconds.max(1e-9) / 2.0).clamp(2.0, GROWTH as f64) as usize;
        let next = size.saturating_mul(growth).min(full);
        if seconds * cost(next) / cost(size) > budget {
            return Ok(seconds * cost(full) / cost(size));
        }
        size = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A work of 1 ms and 1 µs a unit that is warm from the third call on: what is whole is the mean of the warm ones, what is scaled is
    /// at the rate of the largest part within the budget.
    #[test]
    fn what_is_not_timed_whole_is_scaled() {
        let seconds = |size: usize| 1e-3 + 1e-6 * size as f64;
        let timed = |full: usize, budget: f64| {
            let mut sizes = Vec::new();
            let found = extrapolated(
                full,
                budget,
                |size| size as f64,
                |size| {
                    sizes.push(size);
                    Ok(seconds(size) + if sizes.len() < 3 { 0.01 } else { 0.0 })
                },
            );
            (found.unwrap(), sizes)
        };
        let (found, sizes) = timed(1000, 1.0);
        assert_eq!(sizes[..4], [4, 64, 1000, 1000]);
        assert!((found - seconds(1000)).abs() < 1e-12, "{found}");
        // 10⁹ units take 1,000 s: no part above the budget is tried.
        let (found, sizes) = timed(1_000_000_000, 0.5);
        let last = *sizes.last().unwrap();
        assert!(seconds(last) < 0.5 && seconds(2 * last) > 0.1, "{sizes:?}");
        assert!((found - seconds(last) * 1e9 / last as f64).abs() < 1e-6, "{found}");
        // What is beyond any budget is done once, in the smallest part.
        assert_eq!(extrapolated(100, 0.1, |size| size as f64, |size| Ok(size as f64)).unwrap(), 100.0);
        assert_eq!(timed(1, 0.1).1[0], 1);
    }

    #[test]
    fn a_run_takes_what_its_parts_take() {
        let groups = [("evaluate", 0.5), ("trace", 2.0)].into();
        let times = Times { step: 0.25, noise_step: 0.375, groups };
        let counts = Counts { steps: 100, noise_steps: 40.0, groups: [("evaluate", 6), ("trace", 3)].into() };
        assert_eq!(times.of_steps(&counts), 60.0 * 0.25 + 40.0 * 0.375);
        assert_eq!(times.total(&counts), 30.0 + 6.0 * 0.5 + 3.0 * 2.0);
    }
}
