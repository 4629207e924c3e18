//! The loop.

use burn::tensor::Tensor;
use saltflat_data::epoch_order;
use saltflat_metrics::{Estimate, Samples};
use saltflat_models::Vector;
use saltflat_noise::{StrengthControl, displacement};

use crate::{
    EpochRow, MeasurementRow, Measurer, Observer, Plan, Point, Sgd, TrainError,
    batch_step::{BatchGradient, BatchStep},
};

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// All its steps are made, or a goal was reached; says which.
    Finished(String),
    /// The loss is not a finite number any more.
    Diverged(String),
    /// Asked to stop.
    Interrupted,
}

/// A run at some step.
#[derive(Debug)]
pub struct Trainer<'a> {
    plan: &'a Plan,
    theta: Vector,
    buffers: Vector,
    sgd: Sgd,
    /// Steps made.
    step: u64,
    measurer: Measurer,
    epoch: EpochSums,
    /// What a noise of a given strength remembers.
    strength: StrengthControl,
}

/// Sums over an epoch's samples; they stay on the device until it ends.
#[derive(Debug, Default)]
struct EpochSums {
    loss: Option<Tensor<1>>,
    correct: Option<Tensor<1>>,
    /// Of ‖ξ‖², over the steps where it was measured.
    noise: Option<Tensor<1>>,
    noise_steps: u64,
    /// Of the samples' floors.
    floor: f64,
    samples: usize,
    lr: f64,
}

impl<'a> Trainer<'a> {
    /// At the start: these parameters and buffers.
    pub fn new(plan: &'a Plan, (theta, buffers): (Vector, Vector)) -> Self {
        let optimizer = &plan.config.optimizer;
        Self {
            plan,
            theta,
            buffers,
            sgd: Sgd::new(optimizer.momentum, optimizer.nesterov)
                .keeping_update(plan.config.metrics.sharpness.is_some()),
            step: 0,
            measurer: Measurer::default(),
            epoch: EpochSums::default(),
            strength: StrengthControl::default(),
        }
    }

    /// A random start, from the run's seed.
    pub fn random_start(plan: &Plan) -> (Vector, Vector) {
        plan.network.layout().init(plan.config.run.seed, &plan.device, plan.dtype)
    }

    /// θ.
    pub fn theta(&self) -> &Vector {
        &self.theta
    }

    /// What is stored beside θ.
    pub fn buffers(&self) -> &Vector {
        &self.buffers
    }

    /// The optimizer's momentum, once it has one.
    pub fn velocity(&self) -> Option<&Vector> {
        self.sgd.velocity()
    }

    /// What a noise of a given strength (`noise.strength`) remembers from step to step: beside the optimizer's the only
    /// state.
    pub fn strength(&self) -> &StrengthControl {
        &self.strength
    }

    /// Restores what [`strength`](Self::strength) gave.
    pub fn set_strength(&mut self, strength: StrengthControl) {
        self.strength = strength;
    }

    /// Steps made.
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// Epochs completed.
    pub fn epochs(&self) -> u64 {
        self.step / self.plan.steps_per_epoch.max(1)
    }

    /// Runs to the end of the plan. `stop` is asked after every step; `save` is called where a checkpoint is due.
    ///
    /// # Errors
    /// Whatever a measurement, the device or the observer's files say.
    pub fn run(
        &mut self,
        observer: &mut dyn Observer,
        stop: &dyn Fn() -> bool,
        save: &mut dyn FnMut(&Self) -> Result<(), TrainError>,
    ) -> Result<Outcome, TrainError> {
        let mut order = Vec::new();
        if self.plan.config.metrics.at_ends {
            self.measure(observer)?;
        }
        while self.step < self.plan.steps {
            let epoch = self.epochs();
            let within = self.step % self.plan.steps_per_epoch;
            if within == 0 {
                order = epoch_order(self.plan.config.run.seed, epoch, self.plan.train.len());
            }
            let start = within as usize * self.plan.batch_size;
            let end = (start + self.plan.batch_size).min(order.len());
            self.make_step(&order[start..end]);
            observer.step(self.step, self.plan.steps);
            let epoch_ended = self.step.is_multiple_of(self.plan.steps_per_epoch);
            if epoch_ended || self.step == self.plan.steps {
                if let Some(outcome) = self.end_epoch(observer)? {
                    return Ok(outcome);
                }
                let every = self.plan.config.train.checkpoint_every_epochs;
                if epoch_ended && every.is_some_and(|every| self.epochs().is_multiple_of(every)) {
                    save(self)?;
                }
            }
            if stop() {
                return Ok(Outcome::Interrupted);
            }
        }
        Ok(Outcome::Finished(format!("{} steps", self.step)))
    }

    /// One step on the samples with these indices.
    pub fn make_step(&mut self, indices: &[u32]) {
        if indices.is_empty() {
            return;
        }
        let (plan, config) = (self.plan, &self.plan.config);
        let noise = config.noise.noise();
        let step = BatchStep::new(plan, indices, self.step);
        let lr = config.optimizer.lr * config.schedule.factor(self.step, plan.steps_per_epoch, plan.steps);
        let (reported, controlled) = (self.measures_noise_now(), self.controls_strength_now());
        let measured = reported || controlled;
        let alone = (measured || step.adds_alone()).then(|| step.noise_alone(&self.theta, &self.buffers)).flatten();
        let squared = alone.as_ref().filter(|_| measured).map(Vector::norm_squared);
        if let Some(squared) = squared.clone().filter(|_| controlled) {
            self.strength.record(squared);
        }
        let c = step.strength.and_then(|target| self.strength.factor(target));
        if let (Some(alone), true) = (&alone, reported && noise.randomises_targets()) {
            self.measurer.strength.record(alone, indices.len());
        }
        if let Some(squared) = squared {
            self.epoch.add_noise(c.clone().map_or(squared.clone(), |c| squared * c.square()));
        }
        let found = step.gradient(&self.theta, &self.buffers, c.as_ref(), alone.as_ref());
        let gradient = match &config.optimizer.sam {
            None => found.gradient.clone(),
            Some(sam) => {
                let ascended = sam.ascend(&self.theta, &found.gradient);
                let alone = step.adds_alone().then(|| step.noise_alone(&ascended, &self.buffers)).flatten();
                step.gradient(&ascended, &self.buffers, c.as_ref(), alone.as_ref()).gradient
            }
        };
        self.epoch.add(&found, step.floor(), indices.len());
        self.buffers = found.buffers;
        self.theta = self.sgd.step(&self.theta, gradient, lr);
        let sigma = noise.parameter_sigma(lr).map(|sigma| match step.strength {
            None => sigma * step.factor,
            Some(target) => lr * (target / self.theta.len() as f64).sqrt(),
        });
        if let Some(moved) = sigma.and_then(|sigma| displacement(step.at(), sigma, &self.theta)) {
            if measured && lr > 0.0 {
                self.epoch.add_noise(moved.norm_squared().mul_scalar(1.0 / (lr * lr)));
            }
            self.theta = self.theta.plus(&moved);
        }
        self.epoch.lr = lr;
        self.step += 1;
    }

    /// True where this step's noise is due to be measured for the report: in an epoch that ends with a measurement, every
    /// so many steps.
    fn measures_noise_now(&self) -> bool {
        let Some(strength) = &self.plan.config.metrics.noise_strength else { return false };
        self.is_measured(self.epochs() + 1) && self.step.is_multiple_of(strength.every_steps)
    }

    /// True where a noise of a given strength is due to be measured: every so many steps, and first of all.
    fn controls_strength_now(&self) -> bool {
        let Some(strength) = &self.plan.config.noise_strength else { return false };
        let unknown = self.strength.is_empty() && self.plan.config.noise.noise().parameter_sigma(0.0).is_none();
        self.step.is_multiple_of(strength.every) || unknown
    }

    /// True where a measurement is due after this many epochs.
    fn is_measured(&self, epochs: u64) -> bool {
        let metrics = &self.plan.config.metrics;
        let last = self.plan.steps.div_ceil(self.plan.steps_per_epoch.max(1));
        epochs.is_multiple_of(metrics.every_epochs) || metrics.at_ends && epochs == last
    }

    /// Reports the epoch, measures where it is due, and says whether the run is over.
    fn end_epoch(&mut self, observer: &mut dyn Observer) -> Result<Option<Outcome>, TrainError> {
        let row = std::mem::take(&mut self.epoch).row(self)?;
        observer.epoch(&row)?;
        if !row.running_loss.is_finite() {
            let reason = format!("the training loss is {} in epoch {}, step {}", row.running_loss, row.epoch, row.step);
            return Ok(Some(Outcome::Diverged(reason)));
        }
        let train = &self.plan.config.train;
        let reached = match row.running_accuracy {
            _ if train.stop_loss.is_some_and(|goal| row.running_loss <= goal) => {
                Some(format!("training loss {:.3e} reached stop_loss", row.running_loss))
            }
            Some(accuracy) if train.stop_accuracy.is_some_and(|goal| accuracy >= goal) => {
                Some(format!("training accuracy {accuracy:.4} reached stop_accuracy"))
            }
            _ => None,
        };
        if self.is_measured(row.epoch) || reached.is_some() && self.plan.config.metrics.at_ends {
            self.measure(observer)?;
        }
        Ok(reached.map(Outcome::Finished))
    }

    fn measure(&mut self, observer: &mut dyn Observer) -> Result<(), TrainError> {
        let metrics = &self.plan.config.metrics;
        if !metrics.is_on() {
            return Ok(());
        }
        let epoch = self.step.div_ceil(self.plan.steps_per_epoch.max(1));
        observer.measuring(epoch);
        let due = metrics.due(self.measurer.count);
        let point = Point { theta: &self.theta, buffers: &self.buffers, update: self.sgd.update(), step: self.step };
        let mut found = self.measurer.measure(self.plan, &due, point)?;
        if metrics.noise_strength.is_some() {
            let estimate = match self.plan.config.noise.noise().randomises_targets() {
                false => Estimate::absent("the noise does not change the labels"),
                true if self.step == 0 => Estimate::absent("no step has been made yet"),
                true => self.measurer.strength.take()?,
            };
            found.metrics.insert("trace_from_noise".into(), serde_json::json!(estimate));
        }
        let row = MeasurementRow {
            epoch,
            step: self.step,
            curvature_samples: found.curvature_samples,
            alignment_samples: found.alignment_samples,
            metrics: found.metrics,
        };
        observer.measurement(&row)
    }
}

impl EpochSums {
    fn add(&mut self, found: &BatchGradient, floor: f64, samples: usize) {
        self.loss = sum(self.loss.take(), found.losses.clone());
        if let Some(correct) = &found.correct {
            self.correct = sum(self.correct.take(), correct.clone());
        }
        self.floor += floor * samples as f64;
        self.samples += samples;
    }

    fn add_noise(&mut self, squared: Tensor<1>) {
        self.noise = sum(self.noise.take(), squared);
        self.noise_steps += 1;
    }

    /// Reads the sums: the one host synchronisation of an epoch.
    fn row(self, trainer: &Trainer<'_>) -> Result<EpochRow, TrainError> {
        let scored = self.correct.is_some();
        let sums: Vec<_> = self.loss.into_iter().chain(self.correct).chain(self.noise).collect();
        let sums = Tensor::cat(sums, 0).try_into_vec_as::<f64>().map_err(|e| TrainError::Training(e.to_string()))?;
        let n = self.samples as f64;
        let plan = trainer.plan;
        Ok(EpochRow {
            epoch: trainer.step.div_ceil(plan.steps_per_epoch.max(1)),
            step: trainer.step,
            lr: self.lr,
            running_loss: (sums[0] - self.floor) / n,
            running_accuracy: scored.then(|| sums[1] / n),
            noise_sq: (self.noise_steps > 0).then(|| sums[sums.len() - 1] / self.noise_steps as f64),
            noise_steps: self.noise_steps,
        })
    }
}

fn sum(old: Option<Tensor<1>>, new: Tensor<1>) -> Option<Tensor<1>> {
    Some(old.map_or(new.clone(), |old| old + new))
}
