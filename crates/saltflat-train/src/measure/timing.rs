//! How long a measurement takes, from parts of it.

use std::{collections::BTreeMap, time::Instant};

use saltflat_metrics::Interrupt;

use super::{
    Memory, Point, Work,
    cost::{Sizes, eigenvalue_products, group_cost, spectrum_products},
};
use crate::{Plan, TrainError, config::MetricsConfig, timing::extrapolate};

/// Seconds that each group of `config` takes at a point. A group that takes longer than some `budget` seconds is timed on fewer samples
/// and probes, and scaled by its [cost](super::measurement_cost). A search for eigenvalues that did not converge within these is taken
/// to need eight products an eigenvalue.
pub(crate) fn seconds_by_group(
    plan: &Plan,
    config: &MetricsConfig,
    point: Point<'_>,
    budget: f64,
) -> Result<BTreeMap<&'static str, f64>, TrainError> {
    let groups = config.groups().into_iter();
    groups.map(|group| Ok((group, Timed { plan, config, point, group }.seconds(budget)?))).collect()
}

/// A group that is timed.
struct Timed<'a> {
    plan: &'a Plan,
    config: &'a MetricsConfig,
    point: Point<'a>,
    group: &'static str,
}

/// A part of it.
struct Part {
    config: MetricsConfig,
    /// Samples of each split that loss and accuracy are measured on.
    evaluated: usize,
}

impl Timed<'_> {
    fn seconds(&self, budget: f64) -> Result<f64, TrainError> {
        let sizes = Sizes::new(self.plan, self.config);
        let full = self.samples().saturating_mul(self.repetitions()).max(1);
        let cost = |size: usize| {
            let part = self.part(size);
            let evaluated = |all: usize| all.min(part.evaluated);
            let (train, test) = (evaluated(sizes.train), evaluated(sizes.test));
            let subset = part.config.samples.map_or(sizes.subset, |samples| samples.min(sizes.subset));
            // What has no cost in gradients is timed whole.
            group_cost(self.plan, &part.config, self.group, Sizes { train, test, subset }).max(1e-9)
        };
        let memory = Memory::new(self.plan, self.config);
        let samples = self.plan.measured_samples();
        extrapolate(full, budget, cost, |size| {
            let part = self.part(size);
            let mut work = Work::new(self.plan, &part.config, self.point, memory, &samples, Interrupt::default());
            work.evaluated = part.evaluated;
            work.memory.microbatch =
                memory.microbatch.min(work.subset.len().max(part.evaluated.min(sizes.train))).max(1);
            // The inner products are those of the alignment where that is on.
            if self.group == "stability" && self.config.alignment.is_some() {
                work.measure("alignment", &mut Vec::new())?;
            }
            let clock = Instant::now();
            work.measure(self.group, &mut Vec::new())?;
            Ok(clock.elapsed().as_secs_f64())
        })
    }

    /// Samples on which it is made, once.
    fn samples(&self) -> usize {
        let sizes = Sizes::new(self.plan, self.config);
        match self.group {
            "evaluate" => sizes.train.max(sizes.test),
            "alignment" | "stability" => self.config.alignment_samples().min(sizes.train),
            _ => sizes.subset,
        }
    }

    /// How often it is made on them: probes, products, batches.
    fn repetitions(&self) -> usize {
        let config = self.config;
        match self.group {
            "trace" => config.trace.as_ref().map_or(1, |c| c.probes),
            "gauss_newton" => config.gauss_newton.as_ref().map_or(1, |c| c.probes),
            "eigenvalues" => config.eigenvalues.as_ref().map_or(1, eigenvalue_products),
            "spectrum" => config.spectrum.as_ref().map_or(1, spectrum_products),
            "alignment" => config.alignment.as_ref().map_or(1, |c| c.subsets),
            "sharpness" => config.sharpness.as_ref().map_or(1, |c| c.batches),
            _ => 1,
        }
    }

    /// The part with so many samples, repetitions counted: fewer samples first, then fewer repetitions.
    fn part(&self, size: usize) -> Part {
        let (all, most) = (self.samples(), self.repetitions());
        let mut config = self.config.clone();
        if size >= all.saturating_mul(most) {
            return Part { config, evaluated: usize::MAX };
        }
        let (samples, times) = (size.min(all).max(2), (size / all.max(1)).max(1));
        match self.group {
            "alignment" | "stability" => {
                if let Some(alignment) = &mut config.alignment {
                    (alignment.samples, alignment.subsets) = (samples, times.min(alignment.subsets));
                }
            }
            _ => config.samples = Some(samples.min(Sizes::new(self.plan, self.config).subset)),
        }
        // So many that an estimator of several parts has some for each, and passes of several directions are full.
        let probes = times.max(4);
        for trace in config.trace.iter_mut().chain(&mut config.gauss_newton) {
            trace.probes = trace.probes.min(probes);
        }
        if let Some(eigenvalues) = &mut config.eigenvalues {
            let wanted = eigenvalues.largest.saturating_add(eigenvalues.smallest);
            eigenvalues.products = eigenvalues.products.min(times.max(wanted));
        }
        if let Some(spectrum) = &mut config.spectrum {
            spectrum.steps = spectrum.steps.min(times.max(2));
            spectrum.probes = spectrum.probes.min((times / spectrum.steps).max(1));
            spectrum.deflate = 0;
        }
        if let Some(sharpness) = &mut config.sharpness {
            sharpness.batches = sharpness.batches.min(times);
        }
        Part { config, evaluated: samples }
    }
}
