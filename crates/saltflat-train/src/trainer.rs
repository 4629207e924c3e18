//! The loop.

mod saving;

use std::time::Instant;

use burn::tensor::Tensor;
use saltflat_metrics::{Estimate, Interrupt, MetricError};
use saltflat_models::Vector;
use saltflat_noise::{StrengthControl, displacement};
use saltflat_record::metric;

use crate::{
    EpochRow, MeasuredLoss, MeasurementPoint, MeasurementRow, Measurer, Observer, Plan, Sgd, TrainError,
    batch_step::{BatchGradient, BatchStep, Contribution},
    config::ConfiguredNoise,
    state::Best,
    step_noise::StepNoise,
};

/// So many steps are looked at for one of a kind.
const FIRST_STEPS: u64 = 1_000_000;

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
    /// What each noise remembers for its given strength.
    strengths: Vec<StrengthControl>,
    /// The first epoch's running loss.
    first_loss: Option<f64>,
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
    /// Of ‖ξ‖², over the steps where it was measured.
    noise: Option<Tensor<1>>,
    noise_steps: u64,
    /// Of the samples' floors.
    floor: f64,
    samples: usize,
    lr: f64,
}

/// ‖ξ‖² of a step, summed over its noises: they are independent and of mean zero, so that E‖ξ‖² of their sum is the sum of
/// theirs.
struct Squares {
    is_measured: bool,
    sum: Option<Tensor<1>>,
}

impl Squares {
    fn add(&mut self, squared: Tensor<1>) {
        self.sum = sum(self.sum.take(), squared);
    }

    /// Adds a displacement of the parameters as the gradient noise that moves them as far. At η = 0 there is none, and the step
    /// has no ‖ξ‖².
    fn add_displacement(&mut self, moved: &Vector, lr: f64) {
        if !self.is_measured {
            return;
        }
        // Of a schedule's factor lr may be so small that its square underflows.
        match lr * lr >= f64::MIN_POSITIVE {
            true => self.add(moved.norm_squared().mul_scalar(1.0 / (lr * lr))),
            false => *self = Self { is_measured: false, sum: None },
        }
    }
}

/// An epoch's sums on the host, and Σθ with the buffers, which is finite where every weight is.
struct Read {
    /// From the floors.
    loss: f64,
    correct: Option<f64>,
    noise: Option<f64>,
    weights: f64,
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
            strengths: vec![StrengthControl::default(); plan.config.noise.count()],
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

    /// Why there is no further step, if there is none: a goal was reached, or all steps are made.
    pub fn finished(&self) -> Option<String> {
        self.goal.clone().or_else(|| (self.step >= self.plan.steps).then(|| format!("{} steps", self.step)))
    }

    /// Step of the last checkpoint of this process.
    pub fn saved_step(&self) -> Option<u64> {
        self.saved.map(|(step, _)| step)
    }

    /// What it runs.
    pub fn plan(&self) -> &'a Plan {
        self.plan
    }

    /// Rows told to the observer so far, over all the processes that ran it.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Runs to the end of the plan. `stop` is asked before every step, between the passes of one that takes
    /// several, and throughout a measurement; what is cut short is made again after a resumption. The observer is
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
            if let Some(reason) = self.finished() {
                return Ok(Outcome::Finished(reason));
            }
            let batch = if stop() { None } else { Some(batches.batch(self.step)) };
            let made = batch
                .map_or(Err(MetricError::Interrupted), |batch| self.make_step_unless(&batch, Interrupt::when(stop)));
            match made {
                Err(MetricError::Interrupted) => {
                    return Ok(self.divergence()?.map_or(Outcome::Interrupted, Outcome::Diverged));
                }
                made => made?,
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
        let step = BatchStep::new(self.plan, indices, self.step);
        let several = step.microbatches().len() > 1;
        let before = several.then(|| (self.strengths.clone(), self.measurer.strength.clone()));
        let made = self.make(&step, indices.len(), interrupt);
        if let (Err(_), Some((strengths, strength))) = (&made, before) {
            (self.strengths, self.measurer.strength) = (strengths, strength);
        }
        made
    }

    /// Makes a step on so many samples. If it is interrupted, what is known of the strengths of noises may have changed.
    fn make(&mut self, step: &BatchStep<'_>, samples: usize, interrupt: Interrupt<'_>) -> Result<(), MetricError> {
        let (plan, config) = (self.plan, &self.plan.config);
        let lr = config.optimizer.lr * config.schedule.factor(self.step, plan.steps_per_epoch, plan.steps);
        let (mut contributions, mut squares) = self.contributions(step, interrupt)?;
        let mut found = step.gradient(&self.theta, &self.buffers, &contributions, interrupt)?;
        // Handed on, not cloned: the optimizer may update it in place.
        let mut gradient = std::mem::take(&mut found.gradient);
        if let Some(sam) = &config.optimizer.sam {
            let ascended = sam.ascend(&self.theta, &gradient);
            for (index, contribution) in contributions.iter_mut().enumerate() {
                contribution.gradient = match step.adds_alone(index) {
                    true => step.noise_alone(index, &ascended, &self.buffers, interrupt)?,
                    false => None,
                };
            }
            gradient = step.gradient(&ascended, &self.buffers, &contributions, interrupt)?.gradient;
        }
        // From here on nothing interrupts it.
        self.epoch.add(&found, step.floor(), samples);
        self.buffers = found.buffers;
        self.theta = self.sgd.step(std::mem::take(&mut self.theta), gradient, lr);
        for one in &step.noise.noises {
            let sigma = one.noise().parameter_sigma(lr).map(|sigma| match one.strength {
                None => sigma * one.factor,
                Some(target) => lr * (target / self.theta.len() as f64).sqrt(),
            });
            if let Some(moved) = sigma.and_then(|sigma| displacement(one.at, sigma, &self.theta)) {
                squares.add_displacement(&moved, lr);
                self.theta = self.theta.plus(&moved);
            }
        }
        if let Some(squares) = squares.sum {
            self.epoch.add_noise(squares);
        }
        self.epoch.lr = lr;
        self.step += 1;
        Ok(())
    }

    /// As if it were step number `step`, whatever was before.
    pub(crate) fn make_step_number(&mut self, step: u64, indices: &[u32]) {
        self.step = step;
        self.make_step(indices);
    }

    /// The first step in which the strength of the noise is measured, or in which it is not; absent where there is none among the first
    /// ones, or at all.
    pub(crate) fn first_step(&self, measures_noise: bool) -> Option<u64> {
        let mut at = self.clone();
        // The noise of the first step is measured where its strength is to be controlled and nothing is known yet.
        let first = u64::from(self.plan.steps > 1);
        (first..self.plan.steps.min(FIRST_STEPS)).find(|&step| {
            at.step = step;
            let controlled =
                self.plan.config.noise.iter().any(|one| one.strength.is_some_and(|c| step.is_multiple_of(c.every)));
            (at.measures_noise_now() || controlled) == measures_noise
        })
    }

    /// The noises in the gradient of a step, each with its scale, and their squares where this step is one that measures them.
    fn contributions(
        &mut self,
        step: &BatchStep<'_>,
        interrupt: Interrupt<'_>,
    ) -> Result<(Vec<Contribution>, Squares), MetricError> {
        let reported = self.measures_noise_now();
        let controlled: Vec<bool> =
            self.plan.config.noise.iter().zip(&self.strengths).map(|(one, known)| self.controls(one, known)).collect();
        let mut squares = Squares { is_measured: reported || controlled.contains(&true), sum: None };
        let mut contributions = Vec::with_capacity(controlled.len());
        for (index, one) in step.noise.noises.iter().enumerate() {
            let is_needed = squares.is_measured || step.adds_alone(index);
            let gradient = match is_needed {
                true => step.noise_alone(index, &self.theta, &self.buffers, interrupt)?,
                false => None,
            };
            let squared = gradient.as_ref().filter(|_| squares.is_measured).map(Vector::norm_squared);
            if let Some(squared) = squared.clone().filter(|_| controlled[index]) {
                self.strengths[index].record(squared);
            }
            let scale = one.strength.and_then(|target| self.strengths[index].factor(target));
            if let (Some(gradient), true) = (&gradient, reported)
                && let Ok(factor) = step.noise.trace_factor(self.plan, step.divisor)
            {
                self.measurer.strength.record(gradient, factor);
            }
            if let Some(squared) = squared {
                squares.add(scale.clone().map_or(squared.clone(), |c| squared * c.square()));
            }
            contributions.push(Contribution { scale, gradient });
        }
        Ok((contributions, squares))
    }

    /// True where this step's noise is due to be measured for the report: in an epoch that ends with a measurement, every
    /// so many steps.
    fn measures_noise_now(&self) -> bool {
        let Some(strength) = &self.plan.config.metrics.noise_strength else { return false };
        let measured = self.plan.config.metrics.every_steps.is_some() || self.is_measured(self.epochs() + 1);
        measured && self.step.is_multiple_of(strength.every_steps)
    }

    /// True where a noise is due to be measured for its given strength: every so many steps, and first of all. `known` is what
    /// is known of it.
    fn controls(&self, one: &ConfiguredNoise, known: &StrengthControl) -> bool {
        let Some(strength) = &one.strength else { return false };
        let unknown = known.is_empty() && one.noise.noise().parameter_sigma(0.0).is_none();
        self.step.is_multiple_of(strength.every) || unknown
    }

    /// True where a measurement is due after this many epochs.
    fn is_measured(&self, epochs: u64) -> bool {
        let metrics = &self.plan.config.metrics;
        let last = self.plan.steps.div_ceil(self.plan.steps_per_epoch.max(1));
        metrics.every_steps.is_none() && epochs.is_multiple_of(metrics.every_epochs)
            || metrics.at_ends && epochs == last
    }

    /// Reports the epoch, and says what is due now; gives the reason where the run diverged.
    fn end_epoch(&mut self, observer: &mut dyn Observer) -> Result<Option<String>, TrainError> {
        let plan = self.plan;
        if self.epoch.samples == 0 {
            // Bernoulli sampling of a handful of samples can draw nothing in a whole epoch, which then has no mean loss.
            self.measurement_due = self.is_measured(self.step.div_ceil(plan.steps_per_epoch.max(1)));
            return Ok(None);
        }
        let read = self.epoch.read(self)?;
        let n = self.epoch.samples as f64;
        let row = EpochRow {
            epoch: self.step.div_ceil(plan.steps_per_epoch.max(1)),
            step: self.step,
            lr: self.epoch.lr,
            running_loss: read.loss / n,
            // Outputs that are not finite have no largest one.
            running_accuracy: read.correct.filter(|_| read.loss.is_finite()).map(|correct| correct / n),
            noise_sq: read.noise.map(|sum| sum / self.epoch.noise_steps as f64),
            noise_steps: self.epoch.noise_steps,
        };
        let is_whole = self.step.is_multiple_of(plan.steps_per_epoch);
        if is_whole {
            // An epoch that the end of the run cut short keeps its sums: a run that is resumed with more steps completes it.
            self.epoch = EpochSums::default();
        }
        observer.epoch(&row)?;
        self.rows += 1;
        let diverged = self.not_finite(row.running_loss, read.weights);
        if diverged.is_some() {
            return Ok(diverged);
        }
        let train = &plan.config.train;
        let first = self.first_loss.unwrap_or(row.running_loss);
        if is_whole {
            self.first_loss = Some(first);
        }
        if let Some(multiple) = train.diverged_above.filter(|multiple| row.running_loss > multiple * first) {
            let (loss, epoch) = (row.running_loss, row.epoch);
            return Ok(Some(format!(
                "the training loss {loss:.3e} of epoch {epoch} is above {multiple} times the first one, {first:.3e}"
            )));
        }
        self.goal = train.goal(row.running_loss, row.running_accuracy);
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
        let point =
            MeasurementPoint { theta: &self.theta, buffers: &self.buffers, update: self.sgd.update(), step: self.step };
        let Some(mut found) = self.measurer.measure_unless(self.plan, &due, point, stop)? else { return Ok(false) };
        if metrics.noise_strength.is_some() {
            // Of a schedule's steps the last one says why none of them counts.
            let last = StepNoise::new(self.plan, self.step.saturating_sub(1)).trace_factor(self.plan, 1);
            let estimate = match (self.measurer.strength.is_empty(), last) {
                (true, Err(reason)) => Estimate::absent(reason),
                (true, Ok(_)) if self.step == 0 => Estimate::absent("no step has been made yet"),
                _ => self.measurer.strength.take()?,
            };
            found.put(&metric::TRACE_FROM_NOISE, estimate);
        }
        let row = MeasurementRow {
            epoch,
            step: self.step,
            curvature_samples: found.curvature_samples,
            alignment_samples: found.alignment_samples,
            measured_loss: Some(MeasuredLoss::of(self.plan)),
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

    /// Reads the sums, with the sum of the weights: the one host synchronisation of an epoch.
    fn read(&self, trainer: &Trainer<'_>) -> Result<Read, TrainError> {
        let sums = self.loss.iter().chain(&self.correct).chain(&self.noise).cloned();
        let weights = trainer.theta.parts().iter().chain(trainer.buffers.parts()).map(|part| part.clone().sum());
        let all = Tensor::cat(sums.chain(weights).collect(), 0).without_autodiff();
        let all = all.try_into_vec_as::<f64>().map_err(|e| TrainError::Training(e.to_string()))?;
        let mut all = all.into_iter();
        Ok(Read {
            loss: self.loss.as_ref().and_then(|_| all.next()).unwrap_or(0.0) - self.floor,
            correct: self.correct.as_ref().and_then(|_| all.next()),
            noise: self.noise.as_ref().and_then(|_| all.next()),
            weights: all.sum(),
        })
    }
}

fn sum(old: Option<Tensor<1>>, new: Tensor<1>) -> Option<Tensor<1>> {
    Some(old.map_or(new.clone(), |old| old + new))
}
