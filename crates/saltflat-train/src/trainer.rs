//! The loop.

mod saving;

use std::time::Instant;

use burn::tensor::Tensor;
use saltflat_data::epoch_order;
use saltflat_metrics::{Estimate, Samples, Scoring, label_noise_gradient};
use saltflat_models::{Pass, Vector};
use saltflat_random::{Key, Stream};

use crate::{EpochRow, MeasurementRow, Measurer, Observer, Plan, Point, Sgd, TrainError, state::Best};

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

/// A run at some step. What changes in a step is saved by `state` and comes back by `restored`.
#[derive(Clone, Debug)]
pub struct Trainer<'a> {
    plan: &'a Plan,
    theta: Vector,
    buffers: Vector,
    sgd: Sgd,
    /// Steps made.
    step: u64,
    measurer: Measurer,
    epoch: EpochSums,
    /// Rows told to the observer.
    rows: u64,
    /// True where a measurement is to be made before the next step.
    measurement_due: bool,
    /// The goal that was reached.
    goal: Option<String>,
    best: Option<Best>,
    /// Step and time of the last checkpoint of this process.
    saved: Option<(u64, Instant)>,
    started: Instant,
    /// The last state that was seen to be finite: the epoch's start, or a checkpoint in it.
    last_finite: Option<Box<Self>>,
}

/// Sums over an epoch's samples; they stay on the device until it ends.
#[derive(Clone, Debug, Default)]
struct EpochSums {
    loss: Option<Tensor<1>>,
    correct: Option<Tensor<1>>,
    samples: usize,
    lr: f64,
}

/// An epoch's sums on the host, and Σθ with the buffers, which is finite where every weight is.
struct Read {
    loss: f64,
    correct: Option<f64>,
    weights: f64,
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
            rows: 0,
            measurement_due: plan.config.metrics.at_ends,
            goal: None,
            best: None,
            saved: None,
            started: Instant::now(),
            last_finite: None,
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

    /// What it runs.
    pub fn plan(&self) -> &'a Plan {
        self.plan
    }

    /// Rows told to the observer so far, over all the processes that ran it.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Runs to the end of the plan. `stop` is asked before every step and every group of a measurement. The observer is
    /// told where a checkpoint is due: as the configuration says, and at the end, whatever the outcome; of a run that
    /// diverged it is given the last state that was seen to be finite.
    ///
    /// # Errors
    /// Whatever a measurement, the device or the observer's files say.
    pub fn run(&mut self, observer: &mut dyn Observer, stop: &dyn Fn() -> bool) -> Result<Outcome, TrainError> {
        let outcome = self.go_on(observer, stop)?;
        match &outcome {
            Outcome::Diverged(_) => {
                let finite = self.last_finite.as_deref().unwrap_or(self);
                if self.saved.is_none_or(|(step, _)| step != finite.step) {
                    observer.checkpoint(finite)?;
                }
            }
            _ => self.save(observer)?,
        }
        Ok(outcome)
    }

    fn go_on(&mut self, observer: &mut dyn Observer, stop: &dyn Fn() -> bool) -> Result<Outcome, TrainError> {
        let mut order = Vec::new();
        self.keep_as_finite();
        loop {
            if self.measurement_due && !self.measure(observer, stop)? {
                return Ok(Outcome::Interrupted);
            }
            if self.checkpoint_due() {
                if let Some(reason) = self.divergence()? {
                    return Ok(Outcome::Diverged(reason));
                }
                self.save(observer)?;
            }
            if let Some(goal) = &self.goal {
                return Ok(Outcome::Finished(goal.clone()));
            }
            if self.step >= self.plan.steps {
                return Ok(Outcome::Finished(format!("{} steps", self.step)));
            }
            if stop() {
                return Ok(self.divergence()?.map_or(Outcome::Interrupted, Outcome::Diverged));
            }
            let within = self.step % self.plan.steps_per_epoch;
            if within == 0 || order.is_empty() {
                order = epoch_order(self.plan.config.run.seed, self.epochs(), self.plan.train.len());
            }
            let start = within as usize * self.plan.batch_size;
            let end = (start + self.plan.batch_size).min(order.len());
            self.make_step(&order[start..end]);
            observer.step(self.step, self.plan.steps);
            let epoch_ended = self.step.is_multiple_of(self.plan.steps_per_epoch) || self.step == self.plan.steps;
            if epoch_ended && let Some(reason) = self.end_epoch(observer)? {
                return Ok(Outcome::Diverged(reason));
            }
        }
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

    /// Reports the epoch, and says what is due now; gives the reason where the run diverged.
    fn end_epoch(&mut self, observer: &mut dyn Observer) -> Result<Option<String>, TrainError> {
        let plan = self.plan;
        let read = self.epoch.read(self)?;
        let n = self.epoch.samples as f64;
        let row = EpochRow {
            epoch: self.step.div_ceil(plan.steps_per_epoch.max(1)),
            step: self.step,
            lr: self.epoch.lr,
            running_loss: read.loss / n - plan.loss.floor(plan.network.outputs()),
            running_accuracy: read.correct.map(|correct| correct / n),
        };
        self.epoch = EpochSums::default();
        observer.epoch(&row)?;
        self.rows += 1;
        let diverged = self.not_finite(row.running_loss, read.weights);
        if diverged.is_some() {
            return Ok(diverged);
        }
        let train = &plan.config.train;
        self.goal = match row.running_accuracy {
            _ if train.stop_loss.is_some_and(|goal| row.running_loss <= goal) => {
                Some(format!("training loss {:.3e} reached stop_loss", row.running_loss))
            }
            Some(accuracy) if train.stop_accuracy.is_some_and(|goal| accuracy >= goal) => {
                Some(format!("training accuracy {accuracy:.4} reached stop_accuracy"))
            }
            _ => None,
        };
        self.measurement_due = self.is_measured(row.epoch) || self.goal.is_some() && plan.config.metrics.at_ends;
        self.keep_as_finite();
        Ok(None)
    }

    /// Makes the measurement that is due; false where it was cut short, and then it is still due.
    fn measure(&mut self, observer: &mut dyn Observer, stop: &dyn Fn() -> bool) -> Result<bool, TrainError> {
        let metrics = &self.plan.config.metrics;
        if !metrics.is_on() {
            self.measurement_due = false;
            return Ok(true);
        }
        let epoch = self.step.div_ceil(self.plan.steps_per_epoch.max(1));
        observer.measuring(epoch);
        let due = metrics.due(self.measurer.count);
        let point = Point { theta: &self.theta, buffers: &self.buffers, update: self.sgd.update(), step: self.step };
        let Some(mut found) = self.measurer.measure_unless(self.plan, &due, point, stop)? else { return Ok(false) };
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
        observer.measurement(&row)?;
        self.rows += 1;
        self.measurement_due = false;
        if let Some(by) = self.plan.config.train.checkpoint.best
            && let Some(value) = row.value(by.name())
            && self.best.is_none_or(|best| by.is_better(value, best.value))
        {
            self.best = Some(Best { step: self.step, value });
        }
        Ok(true)
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

    /// Reads the sums, with the sum of the weights: the one host synchronisation of an epoch.
    fn read(&self, trainer: &Trainer<'_>) -> Result<Read, TrainError> {
        let sums = self.loss.iter().chain(&self.correct).cloned();
        let weights = trainer.theta.parts().iter().chain(trainer.buffers.parts()).map(|part| part.clone().sum());
        let all = Tensor::cat(sums.chain(weights).collect(), 0).without_autodiff();
        let all = all.try_into_vec_as::<f64>().map_err(|e| TrainError::Training(e.to_string()))?;
        let mut all = all.into_iter();
        Ok(Read {
            loss: self.loss.as_ref().and_then(|_| all.next()).unwrap_or(0.0),
            correct: self.correct.as_ref().and_then(|_| all.next()),
            weights: all.sum(),
        })
    }
}
