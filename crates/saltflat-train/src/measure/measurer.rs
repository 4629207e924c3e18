//! Measures the groups of a configuration.

use std::time::Instant;

use saltflat_metrics::{FLIPS_WITH_SQUARE_LOSS, Interrupt, LabelNoiseScale, MetricError, Objective, Samples};
use saltflat_models::{LossKind, Vector};
use saltflat_noise::ActsOn;
use saltflat_random::{Key, Stream};

use super::{
    context::{Measurement, MeasurementContext, MeasurementPoint, MetricGroup, TrainingSettings},
    sizes::{MeasurementSizes, Memory, PairsOptions},
};
use crate::{Plan, TrainError, config::MetricsConfig};

/// Subset on which curvature is measured, among those that are drawn of the training samples.
const CURVATURE_SUBSET: u64 = 0;

/// Copies of every activation that a Hessian-vector product holds at its peak: values and first coefficients, kept for the
/// backward pass (measured: 1.5 on VGG-11, 2.2 on ResNet-18, whose layers between two activations are counted too).
const ACTIVATION_COPIES: usize = 3;
/// Copies of the largest activation that a pass of quadratic forms holds, for the values and for each direction.
const FORM_COPIES: usize = 8;

/// Measures what configurations ask for, and keeps from one measurement to the next what helps it.
#[derive(Clone, Debug, Default)]
pub struct Measurer {
    /// Eigenvectors of the last measurement, from which the next search starts.
    pub(crate) eigenvectors: Vec<Vector>,
    pub(crate) count: u64,
}

impl Measurer {
    /// Measures the groups of `config` at this point. Draws come from streams of their own, so the training is the same with
    /// and without.
    ///
    /// # Errors
    /// If the device fails.
    pub fn measure(
        &mut self,
        plan: &Plan,
        config: &MetricsConfig,
        point: MeasurementPoint<'_>,
    ) -> Result<Measurement, TrainError> {
        let measured = self.measure_unless(plan, config, point, &|| false)?;
        Ok(measured.unwrap_or_default())
    }

    /// [`measure`](Self::measure), and `stop` is asked throughout: before every microbatch, and in every loop that walks over
    /// none. A measurement that is cut short is thrown away: nothing is found, and all that is kept for the next one is as it was.
    ///
    /// # Errors
    /// If the device fails.
    pub fn measure_unless(
        &mut self,
        plan: &Plan,
        config: &MetricsConfig,
        point: MeasurementPoint<'_>,
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<Measurement>, TrainError> {
        let (memory, sizes) = (Memory::new(plan, config), MeasurementSizes::new(plan, config));
        let (found, eigenvectors) = with_context(plan, memory, sizes, point, Interrupt::when(stop), |context| {
            context.eigenvectors.clone_from(&self.eigenvectors);
            for group in config.measured_groups() {
                match measure_group(group, context) {
                    Err(MetricError::Interrupted) => return Ok(None),
                    done => done?,
                }
            }
            let found = std::mem::take(&mut context.found);
            Ok::<_, TrainError>(Some((found, std::mem::take(&mut context.eigenvectors))))
        })?
        .unzip();
        if let Some(eigenvectors) = eigenvectors {
            self.count += 1;
            self.eigenvectors = eigenvectors;
        }
        Ok(found)
    }
}

fn measure_group(group: &dyn MetricGroup, context: &mut MeasurementContext<'_>) -> Result<(), MetricError> {
    let clock = Instant::now();
    let mut cost = group.measure(context)?;
    cost.seconds = clock.elapsed().as_secs_f64();
    context.found.costs.insert(group.group().name, cost);
    Ok(())
}

/// Calls `measure` with a context in which nothing is measured yet.
pub(super) fn with_context<T>(
    plan: &Plan,
    memory: Memory,
    sizes: MeasurementSizes,
    point: MeasurementPoint<'_>,
    interrupt: Interrupt<'_>,
    measure: impl FnOnce(&mut MeasurementContext<'_>) -> T,
) -> T {
    let (loss, optimizer) = (plan.measured_loss(), &plan.config.optimizer);
    let (train_samples, test_samples) =
        (plan.train.with_loss(loss), plan.test.as_ref().map(|test| test.with_loss(loss)));
    let measured_samples = plan.measured_samples();
    let objective = |samples| Objective {
        interrupt,
        weight_decay: plan.measured_weight_decay(),
        ..Objective::on_all(&plan.network, point.buffers, loss, samples, memory.microbatch)
    };
    let (train, all) = (objective(&train_samples), objective(&measured_samples));
    let subset = curvature_subset(&all, plan, Some(sizes.subset));
    measure(&mut MeasurementContext {
        point,
        training: TrainingSettings {
            seed: plan.config.run.seed,
            lr: optimizer.lr,
            momentum: optimizer.momentum,
            label_noise: label_noise(plan),
            is_measured_loss_trained: loss.is_same_as(&plan.loss),
        },
        test: test_samples.as_ref().map(|samples| objective(samples)),
        found: Measurement { curvature_samples: subset.len(), ..Measurement::default() },
        split: plan.measured_split(),
        train,
        all,
        subset,
        sizes,
        memory,
        pairs: Vec::new(),
        eigenvectors: Vec::new(),
        largest: None,
    })
}

/// The objective on the random subset of this size on which curvature is measured, the same at every measurement; on all
/// samples of its set if there are no more.
pub fn curvature_subset<'a>(objective: &Objective<'a>, plan: &Plan, size: Option<usize>) -> Objective<'a> {
    let n = objective.samples.len();
    let size = size.unwrap_or(n).min(n);
    let mut indices = match size < n {
        true => Key::new(plan.config.run.seed, Stream::Subset, CURVATURE_SUBSET).permutation(n),
        false => (0..n as u32).collect(),
    };
    indices.truncate(size);
    objective.on(indices)
}

impl Memory {
    /// A quarter of the limit for the activations of a pass, the rest for what is kept beside it: vectors, or cotangents and
    /// what their inner products need.
    pub fn new(plan: &Plan, config: &MetricsConfig) -> Self {
        let limit = config.memory_limit.saturating_mul(1 << 20);
        let (all, largest) = plan.network.activations();
        let size = plan.dtype.size();
        let n = MeasurementSizes::new(plan, config).subset;
        // A subset is walked in at least eight microbatches, so that their spread tells the subset's error.
        let parts = if n < plan.measured_samples().len() { 8 } else { 1 };
        let fits = (limit / 4 / all.saturating_mul(size * ACTIVATION_COPIES).max(1)).max(1);
        let microbatch = config.microbatch.min(fits).min(n.div_ceil(parts)).max(1);
        let per_direction = largest.saturating_mul(size * FORM_COPIES).saturating_mul(microbatch);
        let directions_per_pass = (limit / 4 / per_direction.max(1)).saturating_sub(1).clamp(1, 4);
        Self { microbatch, directions_per_pass, vectors: limit / 4 * 3, cotangents: limit / 2 }
    }
}

impl MeasurementSizes {
    pub(super) fn new(plan: &Plan, config: &MetricsConfig) -> Self {
        let all = plan.measured_samples().len();
        let of_alignment = config.alignment.as_ref().map(|alignment| PairsOptions {
            samples: alignment.samples,
            subsets: alignment.subsets,
            signs: alignment.signs,
            are_of_alignment: true,
        });
        Self {
            train: plan.train.len(),
            test: plan.test.as_ref().map_or(0, Samples::len),
            all,
            subset: config.samples.map_or(all, |samples| samples.min(all)),
            tensors: plan.network.layout().parameters.len(),
            pairs: of_alignment.unwrap_or_default(),
            outputs: plan.network.outputs(),
            batch_size: plan.batch_size,
        }
    }
}

/// What one measurement costs, in gradients of one sample: its groups, and the noise strength of the epoch's steps before it.
pub fn measurement_cost(plan: &Plan, config: &MetricsConfig) -> f64 {
    let sizes = MeasurementSizes::new(plan, config);
    let groups: f64 = config.measured_groups().map(|group| group.cost(&sizes)).sum();
    let strength = match &config.noise_strength {
        Some(strength) => {
            let measured = plan.config.noise.iter().filter(|one| one.noise.randomises_targets()).count();
            measured as f64 * sizes.train as f64 / strength.every_steps.max(1) as f64
        }
        None => 0.0,
    };
    groups + strength
}

/// The label noise of the run before the schedules of noise and learning rate, or why the theory has no λ for it.
fn label_noise(plan: &Plan) -> Result<LabelNoiseScale, String> {
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
