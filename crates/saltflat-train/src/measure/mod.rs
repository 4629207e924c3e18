//! What is measured at a point: the groups of `[metrics]`, each with its cost.

mod cost;
mod curvature;
mod label_noise;
mod landscape;
mod timing;

use std::{collections::BTreeMap, time::Instant};

use burn::tensor::Tensor;
use saltflat_metrics::{Estimate, Interrupt, MetricError, Objective, Pairs, Samples, evaluate, gradient};
use saltflat_models::Vector;
use saltflat_random::{Key, Stream};
use serde::Serialize;
use serde_json::{Map, Value, json};

pub use cost::{Memory, measurement_cost};
pub(crate) use timing::seconds_by_group;

use crate::{Plan, TrainError, config::MetricsConfig};

/// Subset on which curvature is measured, and on which the alignment is.
const CURVATURE_SUBSET: u64 = 0;
const ALIGNMENT_SUBSET: u64 = 1;

/// Where the measurement is made.
#[derive(Clone, Copy, Debug)]
pub struct Point<'a> {
    /// θ.
    pub theta: &'a Vector,
    /// What is stored beside θ.
    pub buffers: &'a Vector,
    /// Direction of the last update, where it is known.
    pub update: Option<&'a Vector>,
    /// Training steps made so far; names the random draws.
    pub step: u64,
}

/// What a group took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Cost {
    /// Wall time.
    pub seconds: f64,
    /// In gradients of the samples on which the group measures.
    pub gradients: f64,
    /// Products with the Hessian or the Gauss–Newton matrix, and quadratic forms.
    pub products: usize,
}

/// A finished measurement.
#[derive(Clone, Debug, Default)]
pub struct Measurement {
    /// By the names of the definitions (`trace_hessian`, `alpha`, …).
    pub metrics: Map<String, Value>,
    /// By group.
    pub costs: BTreeMap<&'static str, Cost>,
    /// Training samples on which curvature and gradient norm were measured.
    pub curvature_samples: usize,
    /// Training samples on which the alignment was measured, all subsets together.
    pub alignment_samples: usize,
}

/// Measures what configurations ask for, and keeps from one measurement to the next what helps it.
#[derive(Clone, Debug, Default)]
pub struct Measurer {
    /// Eigenvectors of the last measurement, from which the next search starts.
    pub(crate) eigenvectors: Vec<Vector>,
    /// Measurements made.
    pub(crate) count: u64,
}

/// A measurement on its way.
struct Work<'a> {
    plan: &'a Plan,
    config: &'a MetricsConfig,
    point: Point<'a>,
    /// The measured loss on all training samples.
    train: Objective<'a>,
    /// The loss on those on which curvature is measured.
    subset: Objective<'a>,
    memory: Memory,
    /// Samples of each split that loss and accuracy are measured on: all, unless it is only timed.
    evaluated: usize,
    found: Measurement,
    /// Inner products on disjoint subsets, or why there are none.
    pairs: Vec<Result<Pairs, String>>,
    /// λ₁, once it is known.
    largest: Option<f64>,
}

impl Measurer {
    /// Measures the groups of `config` at this point. Draws come from streams of their own, so the training is the same with
    /// and without.
    ///
    /// # Errors
    /// Where the device fails.
    pub fn measure(
        &mut self,
        plan: &Plan,
        config: &MetricsConfig,
        point: Point<'_>,
    ) -> Result<Measurement, TrainError> {
        let measured = self.measure_unless(plan, config, point, &|| false)?;
        Ok(measured.unwrap_or_default())
    }

    /// [`measure`](Self::measure), where `stop` is asked throughout: before every microbatch, and in every loop that walks over
    /// none. A measurement that is cut short is thrown away: nothing is found, and all that is kept for the next one is as it was.
    ///
    /// # Errors
    /// Where the device fails.
    pub fn measure_unless(
        &mut self,
        plan: &Plan,
        config: &MetricsConfig,
        point: Point<'_>,
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<Measurement>, TrainError> {
        let mut eigenvectors = self.eigenvectors.clone();
        let samples = plan.measured_samples();
        let interrupt = Interrupt::when(stop);
        let mut work = Work::new(plan, config, point, Memory::new(plan, config), &samples, interrupt);
        for group in config.groups() {
            match work.measure(group, &mut eigenvectors) {
                Err(TrainError::Metric(MetricError::Interrupted)) => return Ok(None),
                done => done?,
            }
        }
        self.count += 1;
        self.eigenvectors = eigenvectors;
        Ok(Some(work.found))
    }
}

impl<'a> Work<'a> {
    /// Nothing is measured yet. `samples` are [those of the plan](Plan::measured_samples).
    fn new(
        plan: &'a Plan,
        config: &'a MetricsConfig,
        point: Point<'a>,
        memory: Memory,
        samples: &'a dyn Samples,
        interrupt: Interrupt<'a>,
    ) -> Self {
        let train = Objective::on_all(&plan.network, point.buffers, plan.measured_loss(), samples, memory.microbatch)
            .interrupted_by(interrupt);
        let subset = curvature_subset(&train, plan, config.samples);
        let found = Measurement { curvature_samples: subset.len(), ..Measurement::default() };
        let (pairs, largest, evaluated) = (Vec::new(), None, usize::MAX);
        Self { plan, config, point, train, subset, memory, evaluated, found, pairs, largest }
    }

    /// Measures a group, one of [`MetricsConfig::groups`].
    fn measure(&mut self, group: &'static str, eigenvectors: &mut Vec<Vector>) -> Result<(), TrainError> {
        let clock = Instant::now();
        let mut cost = match group {
            "evaluate" => self.evaluate(),
            "trace" => self.trace(),
            "gauss_newton" => self.gauss_newton(),
            "eigenvalues" => self.eigenvalues(eigenvectors),
            "spectrum" => self.spectrum(eigenvectors),
            "alignment" => self.alignment(),
            "stability" => self.stability(),
            _ => self.sharpness(),
        }?;
        cost.seconds = clock.elapsed().as_secs_f64();
        self.found.costs.insert(group, cost);
        Ok(())
    }
}

impl Work<'_> {
    fn put(&mut self, name: &str, estimate: impl Serialize) {
        self.found.metrics.insert(name.into(), json!(estimate));
    }

    fn key(&self, stream: Stream) -> Key {
        Key::new(self.plan.config.run.seed, stream, self.point.step)
    }

    fn evaluate(&mut self) -> Result<Cost, TrainError> {
        let (theta, most) = (self.point.theta, self.evaluated);
        let first = |objective: &Objective<'_>| objective.indices[..objective.len().min(most)].to_vec();
        let train = self.train.on(first(&self.train));
        let mut forward = train.len() as f64;
        let found = evaluate(&train, theta)?;
        self.put("loss", Estimate::exact(found.loss));
        if let Some(accuracy) = found.accuracy {
            self.put("accuracy", Estimate::exact(accuracy));
        }
        if let Some(test) = &self.plan.test {
            let (loss, microbatch) = (self.plan.measured_loss(), self.memory.microbatch);
            let test = test.with_loss(loss);
            let objective = Objective::on_all(&self.plan.network, self.point.buffers, loss, &test, microbatch);
            let objective = objective.on(first(&objective)).interrupted_by(self.train.interrupt);
            forward += objective.len() as f64;
            let found = evaluate(&objective, theta)?;
            self.put("test_loss", Estimate::exact(found.loss));
            if let Some(accuracy) = found.accuracy {
                self.put("test_accuracy", Estimate::exact(accuracy));
            }
        }
        let clock = Instant::now();
        for (name, vector) in [("grad_norm", &gradient(&self.subset, theta)?), ("weight_norm", theta)] {
            self.put(name, Estimate::exact(norm(vector)?));
        }
        self.effective_regularization();
        let of_gradient = Cost { seconds: clock.elapsed().as_secs_f64(), gradients: 1.0, products: 0 };
        self.found.costs.insert("gradient", of_gradient);
        let gradients = forward / 3.0 / self.subset.len().max(1) as f64 + 1.0;
        Ok(Cost { gradients, ..Cost::default() })
    }
}

/// ‖v‖; if its square is outside the range of the type, by way of v divided by its largest entry.
fn norm(v: &Vector) -> Result<f64, TrainError> {
    let read = |t: Tensor<1>| t.try_into_scalar::<f64>().map_err(|e| TrainError::Training(e.to_string()));
    let square = read(v.norm_squared())?;
    // Squares of entries below the smallest normal number lose their digits.
    if (1e-28..f64::INFINITY).contains(&square) {
        return Ok(square.sqrt());
    }
    let largest = v.parts().iter().map(|part| part.clone().abs().max()).reduce(Tensor::max_pair).map(read);
    match largest.transpose()? {
        Some(largest) if (1e-37..f64::INFINITY).contains(&largest) => {
            Ok(largest * read(v.scale(1.0 / largest).norm_squared())?.sqrt())
        }
        _ => Ok(square.sqrt()),
    }
}

/// The objective on the random subset of this size on which curvature is measured, the same at every measurement; on all
/// samples where there are no more.
pub fn curvature_subset<'a>(objective: &Objective<'a>, plan: &Plan, size: Option<usize>) -> Objective<'a> {
    let n = plan.train.len();
    let size = size.unwrap_or(n).min(n);
    let mut indices = match size < n {
        true => Key::new(plan.config.run.seed, Stream::Subset, CURVATURE_SUBSET).permutation(n),
        false => (0..n as u32).collect(),
    };
    indices.truncate(size);
    objective.on(indices)
}

/// Disjoint random subsets of this size, the same at every measurement: as many as asked for and as there are samples for;
/// one of all samples where there are no more.
fn disjoint_subsets<'a>(objective: &Objective<'a>, plan: &Plan, size: usize, count: usize) -> Vec<Objective<'a>> {
    let n = plan.train.len();
    if size >= n {
        return vec![objective.on((0..n as u32).collect())];
    }
    let order = Key::new(plan.config.run.seed, Stream::Subset, ALIGNMENT_SUBSET).permutation(n);
    order.chunks_exact(size).take(count).map(|indices| objective.on(indices.to_vec())).collect()
}
