//! The loop.

use burn::tensor::Tensor;
use saltflat_data::epoch_order;
use saltflat_metrics::{Estimate, Samples, Scoring, label_noise_gradient};
use saltflat_models::{Pass, Vector};
use saltflat_random::{Key, Stream};

use crate::{EpochRow, MeasurementRow, Measurer, Observer, Plan, Point, Sgd, TrainError};

/// Samples of one forward pass in training, where the configuration is silent.
pub(crate) const MICROBATCH: usize = 512;

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
}

/// Sums over an epoch's samples; they stay on the device until it ends.
#[derive(Debug, Default)]
struct EpochSums {
    loss: Option<Tensor<1>>,
    correct: Option<Tensor<1>>,
    samples: usize,
    lr: f64,
}

/// What a microbatch adds to a step.
struct Part {
    gradient: Vector,
    noise: Option<Vector>,
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
        let config = &self.plan.config;
        let (seed, noise) = (config.run.seed, config.noise.noise());
        let expected = self.plan.train.targets(indices);
        let mut drawn = expected.clone();
        noise.draw_targets(seed, self.step, &mut drawn);
        let measured = self.measures_noise_now();
        let microbatch = config.train.microbatch.unwrap_or(MICROBATCH);
        let mut total: Option<Part> = None;
        for (i, chunk) in indices.chunks(microbatch).enumerate() {
            let rows = i * microbatch * drawn.outputs..(i * microbatch + chunk.len()) * drawn.outputs;
            let part =
                self.part(chunk, i, &expected.values[rows.clone()], &drawn.values[rows], indices.len(), measured);
            total = Some(match total {
                None => part,
                Some(sum) => Part {
                    gradient: sum.gradient.plus(&part.gradient),
                    noise: sum.noise.zip(part.noise).map(|(a, b)| a.plus(&b)),
                },
            });
        }
        let Some(Part { gradient, noise: label_noise }) = total else { return };
        if let Some(label_noise) = label_noise {
            self.measurer.strength.record(&label_noise, indices.len());
        }
        let factor =
            |schedule: &crate::config::Schedule| schedule.factor(self.step, self.plan.steps_per_epoch, self.plan.steps);
        let lr = config.optimizer.lr * factor(&config.schedule);
        let noise_factor = factor(&config.noise_schedule);
        self.theta = self.sgd.step(&self.theta, gradient, lr);
        if let Some(perturbed) = noise.perturb(seed, self.step, noise_factor, &self.theta) {
            self.theta = perturbed;
        }
        self.epoch.lr = lr;
        self.step += 1;
    }

    /// Gradient of a microbatch's part of a step on `of` samples.
    fn part(&mut self, chunk: &[u32], part: usize, expected: &[f32], drawn: &[f32], of: usize, measured: bool) -> Part {
        let plan = self.plan;
        let augmentation = plan
            .config
            .data
            .augment
            .then(|| Key::new(plan.config.run.seed, Stream::Augmentation, self.step).part(part as u64));
        let inputs = plan.train.inputs(chunk, augmentation);
        let (expected, drawn) = (plan.train.upload(expected), plan.train.upload(drawn));
        let share = chunk.len() as f64 / of as f64;
        let noise = measured.then(|| {
            let (inputs, drawn) = (inputs.clone(), drawn.clone());
            label_noise_gradient(&plan.network, &self.theta, &self.buffers, inputs, expected.clone(), drawn)
                .scale(share)
        });
        let leaves = self.theta.leaves();
        let mut pass = Pass::value(&leaves, &self.buffers).training();
        let outputs = plan.network.forward(inputs, &mut pass).value;
        let buffers = pass.updated_buffers();
        let losses = plan.loss.value(outputs.clone(), drawn).sum();
        let mut gradients = losses.clone().mul_scalar(1.0 / of as f64).backward();
        let gradient = leaves.take_gradients(&mut gradients);
        self.buffers = buffers;
        self.epoch.add(losses, outputs.without_autodiff(), expected, plan.train.scoring(), chunk.len());
        Part { gradient, noise }
    }

    /// True where this step's label noise is due to be measured: in an epoch that ends with a measurement, every so many
    /// steps.
    fn measures_noise_now(&self) -> bool {
        let config = &self.plan.config;
        let Some(strength) = &config.metrics.noise_strength else { return false };
        config.noise.noise().randomises_targets()
            && self.is_measured(self.epochs() + 1)
            && self.step.is_multiple_of(strength.every_steps)
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
    fn add(&mut self, losses: Tensor<1>, outputs: Tensor<2>, expected: Tensor<2>, scoring: Scoring, samples: usize) {
        let sum = |old: Option<Tensor<1>>, new: Tensor<1>| Some(old.map_or(new.clone(), |old| old + new));
        self.loss = sum(self.loss.take(), losses.without_autodiff());
        if let Some(correct) = scoring.correct(outputs, expected) {
            self.correct = sum(self.correct.take(), correct);
        }
        self.samples += samples;
    }

    /// Reads the sums: the one host synchronisation of an epoch.
    fn row(self, trainer: &Trainer<'_>) -> Result<EpochRow, TrainError> {
        let scored = self.correct.is_some();
        let sums: Vec<_> = self.loss.into_iter().chain(self.correct).collect();
        let sums = Tensor::cat(sums, 0).try_into_vec_as::<f64>().map_err(|e| TrainError::Training(e.to_string()))?;
        let n = self.samples as f64;
        let plan = trainer.plan;
        Ok(EpochRow {
            epoch: trainer.step.div_ceil(plan.steps_per_epoch.max(1)),
            step: trainer.step,
            lr: self.lr,
            running_loss: sums[0] / n - plan.loss.floor(plan.network.outputs()),
            running_accuracy: scored.then(|| sums[1] / n),
        })
    }
}
