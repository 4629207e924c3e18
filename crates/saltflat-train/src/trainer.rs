//! The training loop.

mod checkpointing;
mod epoch_totals;
mod rows;

use std::time::Instant;

use saltflat_metrics::{Interrupt, MetricError};
use saltflat_models::Vector;
use saltflat_record::Best;

use self::epoch_totals::EpochSums;
use crate::{
    Measurer, Observer, Plan, Sgd, TrainError,
    step::{RunNoise, StepBatch, StepNoise},
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

/// A run at some step. What changes in a step is saved by [`snapshot`](Self::snapshot), from which [`resume`](crate::resume) restores it.
///
/// ```
/// # use std::path::Path;
/// # use burn::tensor::{DType, Device};
/// # use saltflat_train::{Plan, TrainError, Trainer, config::Config};
/// let text = "
///     data = { kind = 'mnist-1k', limit = 20 }
///     model = { kind = 'mlp', hidden = [4] }
///     loss = { kind = 'square' }
///     optimizer = { lr = 0.1, batch_size = 10 }
///     train = { steps = 2 }
/// ";
/// let plan = Plan::new(Config::read(text, Path::new("run.toml"), &[])?, &Device::flex(), DType::F32)?;
/// let mut trainer = Trainer::new(&plan, Trainer::random_start(&plan));
/// trainer.make_step(&[0, 1, 2]);
/// assert_eq!(trainer.steps(), 1);
/// assert_eq!(trainer.theta().len(), (28 * 28 + 1) * 4 + (4 + 1) * 10);
/// # Ok::<(), TrainError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Trainer<'a> {
    plan: &'a Plan,
    theta: Vector,
    buffers: Vector,
    sgd: Sgd,
    /// Steps made.
    pub(crate) step: u64,
    measurer: Measurer,
    epoch: EpochSums,
    noise: RunNoise,
    /// The first epoch's running loss.
    first_loss: Option<f64>,
    /// Rows given to the observer.
    rows: u64,
    /// True if a measurement is to be made before the next step.
    measurement_due: bool,
    /// The goal that was reached.
    pub(crate) goal: Option<String>,
    best: Option<Best>,
    /// Step and time of the last checkpoint of this process.
    saved: Option<(u64, Instant)>,
    started: Instant,
    /// The last state that was seen to be finite: the epoch's start, or a checkpoint in it.
    last_finite: Option<Box<Self>>,
}

impl<'a> Trainer<'a> {
    /// A trainer before its first step, at these parameters and buffers, such as those of [`start`](crate::start).
    pub fn new(plan: &'a Plan, (theta, buffers): (Vector, Vector)) -> Self {
        let optimizer = &plan.config.optimizer;
        Self {
            plan,
            theta,
            buffers,
            sgd: Sgd::new(optimizer.momentum, optimizer.nesterov, plan.config.metrics.sharpness.is_some())
                .with_weight_decay(optimizer.weight_decay),
            step: 0,
            measurer: Measurer::default(),
            epoch: EpochSums::default(),
            noise: RunNoise::new(plan),
            first_loss: None,
            rows: 0,
            measurement_due: plan.config.metrics.at_ends,
            goal: None,
            best: None,
            saved: None,
            started: Instant::now(),
            last_finite: None,
        }
    }

    /// Random parameters and the initial buffers, from the run's seed.
    pub fn random_start(plan: &Plan) -> (Vector, Vector) {
        plan.network.layout().init(plan.config.run.seed, &plan.device, plan.dtype)
    }

    /// θ.
    pub fn theta(&self) -> &Vector {
        &self.theta
    }

    /// The buffers: tensors that are stored with θ and not trained, such as running statistics.
    pub fn buffers(&self) -> &Vector {
        &self.buffers
    }

    /// Steps made.
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// Epochs completed.
    pub fn epochs(&self) -> u64 {
        self.step / self.plan.steps_per_epoch.max(1)
    }

    /// Why there is no further step, if there is none: a goal was reached, or all steps are made.
    pub fn finish_reason(&self) -> Option<String> {
        self.goal.clone().or_else(|| (self.step >= self.plan.steps).then(|| format!("{} steps", self.step)))
    }

    /// Step of the last checkpoint of this process, if it has made one.
    pub fn saved_step(&self) -> Option<u64> {
        self.saved.map(|(step, _)| step)
    }

    /// The plan that it runs.
    pub fn plan(&self) -> &'a Plan {
        self.plan
    }

    /// Rows given to the observer so far, over all the processes that ran it.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Runs to the end of the plan. `stop` is asked before every step, between the passes of one that takes
    /// several, and throughout a measurement; what is cut short is made again after a resumption. The observer is
    /// told when a checkpoint is due: as the configuration says, and at the end, whatever the outcome; of a run that
    /// diverged it is given the last state that was seen to be finite.
    ///
    /// # Errors
    /// Whatever a measurement, the device or the observer's files say.
    pub fn run(&mut self, observer: &mut dyn Observer, stop: &dyn Fn() -> bool) -> Result<Outcome, TrainError> {
        let outcome = self.run_loop(observer, stop)?;
        match &outcome {
            Outcome::Diverged(_) => {
                let finite = self.last_finite.as_deref().unwrap_or(self);
                if self.saved.is_none_or(|(step, _)| step != finite.step) {
                    observer.checkpoint(&finite.snapshot())?;
                }
            }
            _ => self.save(observer)?,
        }
        Ok(outcome)
    }

    fn run_loop(&mut self, observer: &mut dyn Observer, stop: &dyn Fn() -> bool) -> Result<Outcome, TrainError> {
        let mut batches = self.plan.batches();
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
            if let Some(reason) = self.finish_reason() {
                return Ok(Outcome::Finished(reason));
            }
            let is_stopped = stop()
                || match self.make_step_unless(&batches.batch(self.step), Interrupt::when(stop)) {
                    Err(MetricError::Interrupted) => true,
                    result => {
                        result?;
                        false
                    }
                };
            if is_stopped {
                return Ok(self.divergence()?.map_or(Outcome::Interrupted, Outcome::Diverged));
            }
            observer.step(self.step, self.plan.steps);
            let epoch_ended = self.step.is_multiple_of(self.plan.steps_per_epoch) || self.step == self.plan.steps;
            if epoch_ended && let Some(reason) = self.end_epoch(observer)? {
                return Ok(Outcome::Diverged(reason));
            }
            let every = self.plan.config.metrics.every_steps;
            self.measurement_due |= every.is_some_and(|every| self.step.is_multiple_of(every));
        }
    }

    /// One step on the samples with these indices. Of no sample, which Bernoulli sampling can draw, the gradient is 0.
    pub fn make_step(&mut self, indices: &[u32]) {
        // It cannot fail, because nothing interrupts it.
        let made = self.make_step_unless(indices, Interrupt::default());
        debug_assert!(made.is_ok());
    }

    /// [`make_step`](Self::make_step); one that is interrupted between its passes has changed nothing.
    fn make_step_unless(&mut self, indices: &[u32], interrupt: Interrupt<'_>) -> Result<(), MetricError> {
        let (plan, config) = (self.plan, &self.plan.config);
        let lr = config.optimizer.lr * config.schedule.factor(self.step, plan.steps_per_epoch, plan.steps);
        let batch = StepBatch::new(plan, indices, self.step);
        let noise = StepNoise::draw(&batch);
        let mut measured = self.noise.measure(&noise, &self.theta, &self.buffers, interrupt)?;
        let mut found = noise.gradient(&self.theta, &self.buffers, &measured.contributions, interrupt)?;
        // Moved out, not cloned: the optimizer may update it in place.
        let mut gradient = std::mem::take(&mut found.gradient);
        if let Some(sam) = &config.optimizer.sam {
            let ascended = sam.ascend(&self.theta, &gradient);
            measured.contributions.iter_mut().for_each(|contribution| contribution.gradient = None);
            gradient = noise.gradient(&ascended, &self.buffers, &measured.contributions, interrupt)?.gradient;
        }
        // From here on nothing interrupts it.
        self.epoch.add(&found, noise.floor(), indices.len());
        self.buffers = found.buffers;
        let theta = self.sgd.step(std::mem::take(&mut self.theta), gradient, lr);
        self.theta = noise.displace(theta, lr, &mut measured.squares);
        if let Some(squared) = self.noise.record(measured) {
            self.epoch.add_noise(squared);
        }
        self.epoch.lr = lr;
        self.step += 1;
        Ok(())
    }
}
