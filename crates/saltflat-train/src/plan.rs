//! A configuration that was checked against its data, ready to run.

use burn::tensor::{DType, Device};
use saltflat_config::Problem;
use saltflat_data::{Batches, Summary};
use saltflat_metrics::Samples;
use saltflat_models::{Loss, Network};
use saltflat_noise::NoiseConfig;

use crate::{
    Split, SplitWithLoss, TrainError,
    batch_norm::{self, StepSizes},
    config::{BatchSize, Config, ConfigError, Precision},
    losses::Losses,
};

/// Samples of one forward pass in training, if the configuration does not say.
const MICROBATCH: usize = 512;

/// Everything that a run needs; only a plan can run.
#[derive(Debug)]
pub struct Plan {
    /// As resolved.
    pub config: Config,
    /// f.
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
    /// Where it runs, without autodiff.
    pub device: Device,
    /// Number type of parameters and activations.
    pub dtype: DType,
}

/// What a configuration and the sizes of its data make together, before any sample is read: what a study asks of its runs
/// before the first one starts.
#[derive(Debug)]
pub struct Outline {
    /// f.
    pub network: Network,
    /// As [`Plan::loss`].
    pub loss: Loss,
    /// As [`Plan::measured_loss`].
    pub measured: Loss,
    /// Samples of one step.
    pub batch_size: usize,
    /// Steps of one epoch.
    pub steps_per_epoch: u64,
    /// Steps of the whole run, if nothing stops it before.
    pub steps: u64,
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

    /// The training samples with the targets of the measured loss.
    pub fn measured_samples(&self) -> SplitWithLoss<'_> {
        self.train.with_loss(self.measured)
    }

    /// The batches of the run.
    pub fn batches(&self) -> Batches {
        let (seed, sampling) = (self.config.run.seed, self.config.optimizer.sampling);
        Batches::new(sampling, seed, self.train.len(), self.batch_size, self.steps_per_epoch.max(1))
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

impl Outline {
    /// Builds the network and checks what only the data can tell.
    ///
    /// # Errors
    /// Whatever is wrong with the configuration on this data, and with the network.
    pub fn new(config: &Config, data: &Summary) -> Result<Self, TrainError> {
        let n = data.train;
        let (natural, classes) = (data.outputs, data.has_classes.then_some(data.outputs));
        let mut problems = Vec::new();
        let mut problem = |key: &str, text: String| problems.push(Problem::new(key, text));
        let outputs = config.model.outputs.unwrap_or(natural);
        match classes {
            Some(classes) if outputs < classes => {
                problem(
                    "model.outputs",
                    format!("expected at least {classes}, a number for each class, got {outputs}"),
                );
            }
            None if outputs != natural => {
                problem("model.outputs", format!("expected {natural}, as the targets have, got {outputs}"));
            }
            _ => {}
        }
        let losses = Losses::new(config, classes, outputs);
        if let Err(found) = &losses {
            found.iter().for_each(|found| problem(&found.key, found.text.clone()));
        }
        let batch_size = match config.optimizer.batch_size {
            BatchSize::Full => n,
            BatchSize::Samples(size) => size,
        };
        for (key, got) in [("optimizer.batch_size", Some(batch_size)), ("metrics.samples", config.metrics.samples)] {
            if let Some(got) = got.filter(|&got| got > n) {
                problem(key, format!("expected at most {n}, the number of training samples, got {got}"));
            }
        }
        if let Some(best) = config.train.checkpoint.best.filter(|best| best.is_of_test() && data.test.is_none()) {
            let expected = "expected accuracy or loss, since there is no test split";
            problem("train.checkpoint.best", format!("{expected}, got {}", best.name()));
        }
        for one in config.noise.iter() {
            let text = match one.noise.reference() {
                NoiseConfig::LabelFlip(_) | NoiseConfig::LabelSmoothing(_) if classes.is_none() => {
                    "expected label-noise, since the targets are real numbers"
                }
                NoiseConfig::LabelNoise(_) if classes.is_some() => {
                    "expected label-flip, since the targets are classes, got label-noise"
                }
                _ => continue,
            };
            problem(&config.noise.key_of(&one.noise, "kind"), text.into());
        }
        let losses = match losses {
            Ok(losses) if problems.is_empty() => losses,
            _ => return Err(ConfigError::new(problems).into()),
        };
        let Losses { trained: loss, measured } = losses;
        let network = config.model.architecture.build(data.shape, outputs)?;
        let steps_per_epoch = match config.train.drop_last {
            true => n / batch_size,
            false => n.div_ceil(batch_size),
        } as u64;
        let steps = config.train.total_steps(steps_per_epoch);
        let sizes = StepSizes { samples: n, size: batch_size, steps_per_epoch, steps };
        let problems = batch_norm::problems(config, &network, &sizes);
        if !problems.is_empty() {
            return Err(ConfigError::new(problems).into());
        }
        Ok(Self { network, loss, measured, batch_size, steps_per_epoch, steps })
    }
}
