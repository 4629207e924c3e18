//! A measurement in progress, and the groups of metrics that are measured in it.

use std::collections::BTreeMap;

use saltflat_metrics::{
    Curvature, CurvatureOperator, DiagonalEstimate, Eigenvalue, Estimate, LabelNoiseScale, MetricError, Objective,
    Operator, Outputs, Pairs,
};
use saltflat_models::{Network, Vector};
use saltflat_random::{Key, Stream};
use saltflat_record::metric::{self, Group, Metric};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::sizes::{MeasuredSplit, MeasurementSizes, Memory};

/// Subset on which the alignment is measured, among those that are drawn of the training samples.
const ALIGNMENT_SUBSET: u64 = 1;

/// The point in parameter space at which a measurement is made.
#[derive(Clone, Copy, Debug)]
pub struct MeasurementPoint<'a> {
    /// θ.
    pub theta: &'a Vector,
    /// The buffers: tensors that are stored with θ and not trained, such as running statistics.
    pub buffers: &'a Vector,
    /// Direction of the last update, if it is known.
    pub update: Option<&'a Vector>,
    /// Training steps made so far; names the random draws.
    pub step: u64,
}

/// What the measurement of a group cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Cost {
    /// Wall time, in seconds.
    pub seconds: f64,
    /// In gradients of the samples on which the group measures.
    pub gradients: f64,
    /// Products with the Hessian or the Gauss–Newton matrix, and quadratic forms.
    pub products: usize,
}

impl Cost {
    /// The cost of all products and quadratic forms that an operator has made.
    pub fn of(operator: &CurvatureOperator<'_>) -> Self {
        Self { gradients: operator.gradients(), products: operator.products(), ..Self::default() }
    }
}

/// A finished measurement.
#[derive(Clone, Debug, Default)]
pub struct Measurement {
    /// The values by the names of the catalogue (`trace_hessian`, `alpha`, …).
    pub metrics: Map<String, Value>,
    /// The cost of each group, by its name.
    pub costs: BTreeMap<&'static str, Cost>,
    /// Samples on which curvature and gradient norm were measured.
    pub curvature_samples: usize,
    /// Samples on which the alignment was measured, all subsets together.
    pub alignment_samples: usize,
    /// What was found in parameter space beside numbers.
    pub vectors: MeasuredVectors,
}

/// Vectors in parameter space that a measurement found.
#[derive(Clone, Debug, Default)]
pub struct MeasuredVectors {
    /// The diagonal of the Hessian, if `metrics.trace.diagonal` asks for it.
    pub diagonal: Option<DiagonalEstimate>,
    /// The largest eigenvalues of the Hessian, if they are measured, largest first, each with its vector of length 1 (whose sign means
    /// nothing).
    pub eigenpairs: Vec<(Eigenvalue, Vector)>,
}

impl Measurement {
    /// Records the value of a metric.
    pub fn put(&mut self, metric: &Metric, value: impl Serialize) {
        self.metrics.insert(metric.name.into(), json!(value));
    }
}

/// Settings of the training that metrics depend on.
#[derive(Clone, Debug)]
pub struct TrainingSettings {
    /// Seed of the run.
    pub seed: u64,
    /// Learning rate η without its schedule.
    pub lr: f64,
    /// Momentum β.
    pub momentum: f64,
    /// The label noise before the schedules of noise and learning rate, or why the theory has no λ for it.
    pub label_noise: Result<LabelNoiseScale, String>,
    /// True if the measured loss is the one that is trained.
    pub is_measured_loss_trained: bool,
}

/// Why there is no value of a metric of the training steps on the samples of a split, if there is none.
pub(crate) fn absence_on(split: MeasuredSplit, metric: &Metric) -> Option<Estimate> {
    match split {
        MeasuredSplit::Test if metric.is_of_training => Some(Estimate::absent(
            "is of the training steps, whose batches are training samples, and metrics.split is \"test\"",
        )),
        MeasuredSplit::Test | MeasuredSplit::Train => None,
    }
}

/// A measurement in progress: where it is made, on what, and what was found so far.
pub struct MeasurementContext<'a> {
    /// The point at which it is made.
    pub point: MeasurementPoint<'a>,
    /// Settings of the training.
    pub training: TrainingSettings,
    /// The measured loss on all training samples.
    pub train: Objective<'a>,
    /// The measured loss on all test samples, if there are any.
    pub test: Option<Objective<'a>>,
    /// Which of the two is measured by all groups but `evaluate`, which measures the loss of either.
    pub split: MeasuredSplit,
    /// The measured loss on all samples of that split.
    pub all: Objective<'a>,
    /// The measured loss on those of them on which curvature is measured.
    pub subset: Objective<'a>,
    /// How much of each is measured.
    pub sizes: MeasurementSizes,
    /// The memory that it may take.
    pub memory: Memory,
    /// The values found so far.
    pub found: Measurement,
    /// Inner products on disjoint subsets, or why there are none.
    pub pairs: Vec<Result<Pairs, String>>,
    /// Eigenvectors of the last measurement, from which the next search starts.
    pub eigenvectors: Vec<Vector>,
    /// The largest eigenvalue λ₁ of H, once it is known.
    pub largest: Option<f64>,
}

/// Why there is no value of a metric that follows, for the training steps, from the gradients of single samples, if a layer couples the samples
/// of a step.
fn absence_in(network: &Network, metric: &Metric) -> Option<Estimate> {
    let is_of_gradients = || {
        [&metric::ALIGNMENT, &metric::STABILITY]
            .iter()
            .any(|group| group.metrics.iter().any(|of| of.name == metric.name))
    };
    (metric.is_of_training && is_of_gradients() && network.couples_samples()).then(|| {
        Estimate::absent(
            "is of the training steps, in which batch normalisation takes the statistics of the batch, so that a sample has no gradient of its \
             own there",
        )
    })
}

/// Why there is no stability of the training steps for a measured loss with the penalty of weight decay: it follows from the gradients of the samples,
/// which do not have it.
fn absence_of_penalised(train: &Objective<'_>, metric: &Metric) -> Option<Estimate> {
    let is_stability = || metric::STABILITY.metrics.iter().any(|of| of.name == metric.name);
    (train.weight_decay > 0.0 && metric.is_of_training && is_stability()).then(|| {
        Estimate::absent(
            "is made of the gradients of single samples, without the penalty of weight decay that the measured loss has; measure the loss without it",
        )
    })
}

impl<'a> MeasurementContext<'a> {
    /// Why a metric of the training steps has no value here, if it has none.
    pub(crate) fn absence_of(&self, metric: &Metric) -> Option<Estimate> {
        let of_coupled = || absence_in(self.train.network, metric);
        absence_on(self.split, metric).or_else(of_coupled).or_else(|| absence_of_penalised(&self.train, metric))
    }

    /// Records the value of a metric; of one that is of the training steps, on other samples, that it has none.
    pub fn put(&mut self, metric: &Metric, value: impl Serialize) {
        match self.absence_of(metric) {
            None => self.found.put(metric, value),
            Some(absence) => self.found.put(metric, absence),
        }
    }

    /// Records the value of a metric for this value of its parameter, as [`put`](Self::put) does.
    pub fn put_at(&mut self, metric: &Metric, parameter: f64, value: impl Serialize) {
        let value = match self.absence_of(metric) {
            None => json!(value),
            Some(absence) => json!(absence),
        };
        self.found.metrics.insert(metric.name_at(parameter), value);
    }

    /// Records estimates for each parameter tensor, in the layout's order.
    pub fn put_by_tensor(&mut self, metric: &Metric, values: &[impl Serialize]) {
        let specs = self.train.network.layout().parameters.iter();
        let named: Map<String, Value> =
            specs.zip(values).map(|(spec, value)| (spec.name.clone(), json!(value))).collect();
        self.put(metric, named);
    }

    /// Records that these metrics have no value, and why.
    pub fn put_absent<'m>(&mut self, metrics: impl IntoIterator<Item = &'m &'static Metric>, reason: &str) {
        for metric in metrics {
            self.put(metric, Estimate::absent(reason));
        }
    }

    /// The key of the random draws of a stream.
    pub fn key(&self, stream: Stream) -> Key {
        Key::new(self.training.seed, stream, self.point.step)
    }

    /// The Hessian or the Gauss–Newton matrix on the samples of the curvature.
    pub fn operator(&self, curvature: Curvature) -> CurvatureOperator<'_> {
        CurvatureOperator::new(&self.subset, self.point.theta, curvature)
            .directions_per_pass(self.memory.directions_per_pass)
    }

    /// Inner products on disjoint subsets, measured once for alignment and stability.
    ///
    /// # Errors
    /// [`MetricError::Device`] if the device fails, and [`MetricError::Interrupted`].
    pub fn measure_pairs(&mut self) -> Result<Cost, MetricError> {
        if !self.pairs.is_empty() {
            return Ok(Cost::default());
        }
        let outputs =
            self.sizes.pairs.signs.map_or_else(|| Outputs::suited_to(self.sizes.outputs), Outputs::RandomSums);
        let rows = match outputs {
            Outputs::Exact => self.sizes.outputs as f64,
            Outputs::RandomSums(draws) => draws as f64 + 1.0,
        };
        let mut gradients = 0.0;
        for subset in self.disjoint_subsets() {
            let key = self.key(Stream::OutputSigns);
            subset.interrupt.check()?;
            let pairs = Pairs::measure(&subset, self.point.theta, outputs, self.memory.cotangents, key)?;
            self.pairs.push(pairs.into_result());
            self.found.alignment_samples += subset.len();
            gradients += rows;
        }
        Ok(Cost { gradients, ..Cost::default() })
    }

    /// Disjoint random subsets of the samples, the same at every measurement: as many as asked for and as there are samples
    /// for; one of all samples if there are no more.
    fn disjoint_subsets(&self) -> Vec<Objective<'a>> {
        let (n, size) = (self.all.len(), self.sizes.pairs.samples);
        if size >= n {
            return vec![self.all.on((0..n as u32).collect())];
        }
        let order = Key::new(self.training.seed, Stream::Subset, ALIGNMENT_SUBSET).permutation(n);
        let subsets = order.chunks_exact(size).take(self.sizes.pairs.subsets);
        subsets.map(|indices| self.all.on(indices.to_vec())).collect()
    }
}

/// Metrics that are measured together, as `[metrics]` configures them. A group is one file of this folder, with the keys of its table
/// (`every`, its schedule, among them), and one line in the list of `config/metrics.rs`.
pub trait MetricGroup {
    /// Its name and its metrics.
    fn group(&self) -> &'static Group;

    /// Changes the settings that decide which metrics there are, if metrics are asked for by name; `is_asked` says which names are.
    fn select(&mut self, _is_asked: &dyn Fn(&str) -> bool) {}

    /// What it costs, in gradients of one sample: a forward pass is a third, a Hessian-vector product 8/3, a quadratic form 5/3 and
    /// less. The number of Lanczos products is a guess.
    fn cost(&self, sizes: &MeasurementSizes) -> f64;

    /// Samples on which it is measured.
    fn samples(&self, sizes: &MeasurementSizes) -> usize {
        sizes.subset
    }

    /// How often it is measured on its samples: probes, products, batches, subsets.
    fn repetitions(&self) -> usize;

    /// With at most so many repetitions, or the fewest with which it can be timed.
    fn with_repetitions(&self, count: usize) -> Box<dyn MetricGroup>;

    /// Measures what other groups would have measured before it.
    ///
    /// # Errors
    /// As [`measure`](Self::measure).
    fn prepare(&self, _context: &mut MeasurementContext<'_>) -> Result<(), MetricError> {
        Ok(())
    }

    /// Measures it and records the values; the time is taken by the caller.
    ///
    /// # Errors
    /// [`MetricError::Device`] if the device fails, and [`MetricError::Interrupted`].
    fn measure(&self, context: &mut MeasurementContext<'_>) -> Result<Cost, MetricError>;
}
