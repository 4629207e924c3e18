//! A configuration that was checked against its data, ready to run.

use burn::tensor::{DType, Device};
use saltflat_data::{Batches, Summary};
use saltflat_metrics::Samples;
use saltflat_models::{Loss, Network};
use saltflat_record::RecordedLoss;

use crate::{
    Outline, Split, SplitWithLoss, TrainError,
    config::{Config, MeasuredSplit, Precision},
};

/// Samples of one forward pass in training, if the configuration does not say.
const MICROBATCH: usize = 512;

/// Everything that a run needs; only a plan can run.
///
/// ```
/// # use std::path::Path;
/// # use burn::tensor::{DType, Device};
/// # use saltflat_train::{Plan, TrainError, config::Config};
/// let text = "
///     data = { kind = 'mnist-1k', limit = 50 }
///     model = { kind = 'mlp', hidden = [4] }
///     loss = { kind = 'cross_entropy' }
///     optimizer = { lr = 0.1, batch_size = 20 }
///     train = { epochs = 2 }
/// ";
/// let plan = Plan::new(Config::read(text, Path::new("run.toml"), &[])?, &Device::flex(), DType::F32)?;
/// assert_eq!((plan.steps_per_epoch, plan.steps), (3, 6));
/// # Ok::<(), TrainError>(())
/// ```
#[derive(Debug)]
pub struct Plan {
    /// The configuration, with every default filled in.
    pub config: Config,
    /// The network f(x; θ).
    pub network: Network,
    /// The loss whose expectation the training descends on: smoothed if the noise flips labels.
    pub loss: Loss,
    measured: Loss,
    /// Training split.
    pub train: Split,
    /// Test split, if the data has one.
    pub test: Option<Split>,
    /// Files that the data came from, with their SHA-256.
    pub sources: Vec<(String, String)>,
    /// Sentences that a person should read when the run starts: what is suspicious about the data, and how large a pass is if that was not asked
    /// for.
    pub notes: Vec<String>,
    /// Samples of one step.
    pub batch_size: usize,
    /// Steps of one epoch.
    pub steps_per_epoch: u64,
    /// Steps of the whole run, if nothing stops it before.
    pub steps: u64,
    /// Device of the run, without autodiff.
    pub device: Device,
    /// Number type of parameters and activations.
    pub dtype: DType,
}

impl Plan {
    /// Loads the data, builds the network and checks what only they can tell.
    ///
    /// # Errors
    /// Whatever is wrong with the data, the network or their fit.
    pub fn new(config: Config, device: &Device, dtype: DType) -> Result<Self, TrainError> {
        let splits = saltflat_data::load(&config.data)?;
        let summary = Summary::of(&splits);
        let Outline { network, loss, measured, batch_size, steps_per_epoch, steps } = Outline::new(&config, &summary)?;
        let (standardise, outputs) = (splits.standardise.as_ref(), network.outputs());
        let split = |examples| Split::new(examples, standardise, &loss, outputs, device, dtype);
        let mut notes = summary.warnings;
        if network.couples_samples() && batch_size > MICROBATCH && steps > 0 {
            notes.push(format!(
                "batch normalisation: a step is one pass of its {batch_size} samples, whose statistics it takes"
            ));
        }
        Ok(Self {
            notes,
            train: split(&splits.train),
            test: splits.test.as_ref().map(split),
            sources: splits.source,
            config,
            network,
            loss,
            measured,
            batch_size,
            steps_per_epoch,
            steps,
            device: device.clone(),
            dtype,
        })
    }

    /// The loss that is measured: the trained one, unless `metrics.loss` says otherwise. A noise's schedule does not change it.
    pub fn measured_loss(&self) -> Loss {
        self.measured
    }

    /// The [measured loss](Self::measured_loss) as rows and messages name it: every metric but the accuracies and the norm of the weights
    /// depends on it, so that rows of different losses are not comparable.
    pub fn recorded_loss(&self) -> RecordedLoss {
        let Loss { kind, smoothing } = self.measured;
        let floor = self.measured.floor(self.network.outputs());
        RecordedLoss {
            kind: kind.name().into(),
            smoothing,
            floor,
            weight_decay: self.measured_weight_decay(),
            split: self.measured_split().name().into(),
        }
    }

    /// w of the penalty (w/2) ‖θ‖² in what is measured: the optimizer's if `metrics.loss.weight_decay` asks for it, else 0.
    pub fn measured_weight_decay(&self) -> f64 {
        let is_asked = self.config.metrics.loss.is_some_and(|loss| loss.weight_decay);
        if is_asked { self.config.optimizer.weight_decay } else { 0.0 }
    }

    /// The split that is measured: the training samples, unless `metrics.split` says otherwise and there are test samples.
    pub fn measured_split(&self) -> MeasuredSplit {
        match self.test {
            Some(_) => self.config.metrics.split,
            None => MeasuredSplit::Train,
        }
    }

    /// The samples of the [measured split](Self::measured_split) with the targets of the measured loss.
    pub fn measured_samples(&self) -> SplitWithLoss<'_> {
        let split = match (self.measured_split(), &self.test) {
            (MeasuredSplit::Test, Some(test)) => test,
            (MeasuredSplit::Train, _) | (MeasuredSplit::Test, None) => &self.train,
        };
        split.with_loss(self.measured)
    }

    /// The batches of the run.
    pub fn batches(&self) -> Batches {
        let (seed, sampling) = (self.config.run.seed, self.config.optimizer.sampling);
        Batches::new(sampling, seed, self.train.len(), self.batch_size, self.steps_per_epoch.max(1))
    }

    /// Number of the epoch in which this many steps end; 1 is the first.
    pub(crate) fn epoch_of(&self, steps: u64) -> u64 {
        steps.div_ceil(self.steps_per_epoch.max(1))
    }

    /// True if a measurement is due after this many epochs.
    pub(crate) fn measures_after_epoch(&self, epochs: u64) -> bool {
        let metrics = &self.config.metrics;
        metrics.every_steps.is_none() && epochs.is_multiple_of(metrics.every_epochs)
            || metrics.at_ends && epochs == self.epoch_of(self.steps)
    }

    /// True if the noise of the step with this number is measured for the report: in an epoch that ends with a measurement, every so
    /// many steps.
    pub(crate) fn reports_noise(&self, step: u64) -> bool {
        let metrics = &self.config.metrics;
        let Some(strength) = &metrics.noise_strength else { return false };
        let epoch = step / self.steps_per_epoch.max(1) + 1;
        step.is_multiple_of(strength.every_steps) && (metrics.every_steps.is_some() || self.measures_after_epoch(epoch))
    }

    /// True if the step with this number measures the noise for the report or to control its strength. The first step of a run
    /// measures it in any case if its strength is to be controlled.
    pub(crate) fn measures_noise(&self, step: u64) -> bool {
        let mut strengths = self.config.noise.iter().filter_map(|one| one.strength);
        self.reports_noise(step) || strengths.any(|strength| step.is_multiple_of(strength.every))
    }

    /// The number type of the run in words, with that of its steps if it is another one.
    pub fn precision(&self) -> String {
        let (steps, rest) = (self.config.train.precision, format!("{:?}", self.dtype).to_lowercase());
        match steps {
            Precision::F32 => rest,
            Precision::Tf32 => steps.name().into(),
            Precision::F16 | Precision::Bf16 => format!("{} in steps, {rest} otherwise", steps.name()),
        }
    }

    /// Samples of one forward pass of a step: the whole batch if a layer couples its samples (batch normalisation).
    pub fn microbatch(&self) -> usize {
        match self.network.couples_samples() {
            true => self.batch_size,
            false => self.config.train.microbatch.unwrap_or(MICROBATCH).min(self.batch_size),
        }
    }

    /// Bytes of all layers' outputs in one pass of a step, which the backward pass needs: a part of the memory that a run takes.
    pub fn pass_bytes(&self) -> usize {
        let (all, _) = self.network.activations();
        let size = self.config.train.precision.half().map_or(self.dtype.size(), |half| DType::from(half).size());
        all * size * self.microbatch()
    }

    /// The configuration with half as many samples in one pass, of a step and of a measurement: the same mathematics in half
    /// the memory. Absent if a pass has one sample, or if a layer couples the samples of a pass (batch normalisation).
    pub fn with_half_the_microbatch(&self) -> Option<Config> {
        let metrics = &self.config.metrics;
        let metrics = if metrics.is_on() { metrics.microbatch.min(self.train.len()) } else { 1 };
        let train = self.microbatch();
        if train.max(metrics) < 2 || self.network.couples_samples() {
            return None;
        }
        let mut config = self.config.clone();
        config.train.microbatch = Some((train / 2).max(1));
        config.metrics.microbatch = (metrics / 2).max(1);
        Some(config)
    }
}
