//! A configuration that was checked against its data, ready to run.

use burn::tensor::{DType, Device};
use saltflat_data::{Batches, Labels};
use saltflat_metrics::Samples;
use saltflat_models::{Loss, Network};
use saltflat_noise::NoiseConfig;

use crate::{
    Split, TrainError,
    config::{BatchSize, Config, ConfigError, Precision},
};

/// Samples of one forward pass in training, where the configuration is silent.
const MICROBATCH: usize = 512;

/// Everything that a run needs; only a plan can run.
#[derive(Debug)]
pub struct Plan {
    /// As resolved.
    pub config: Config,
    /// f.
    pub network: Network,
    /// The loss whose expectation the training descends on: smoothed where the noise flips labels.
    pub loss: Loss,
    /// Training split.
    pub train: Split,
    /// Test split, where the data has one.
    pub test: Option<Split>,
    /// Files that the data came from, with their SHA-256.
    pub sources: Vec<(String, String)>,
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

impl Plan {
    /// Loads the data, builds the network and checks what only they can tell.
    ///
    /// # Errors
    /// Whatever is wrong with the data, the network or their fit.
    pub fn new(config: Config, device: &Device, dtype: DType) -> Result<Self, TrainError> {
        let splits = saltflat_data::load(&config.data)?;
        let n = splits.train.len();
        let (natural, classes) = match splits.train.labels() {
            Labels::Classes { classes, .. } => (*classes, Some(*classes)),
            Labels::Real { outputs, .. } => (*outputs, None),
        };
        let mut problems = Vec::new();
        let outputs = config.model.outputs.unwrap_or(natural);
        match classes {
            Some(classes) if outputs < classes => {
                problems.push(format!(
                    "model.outputs: expected at least {classes}, a number for each class, got {outputs}"
                ));
            }
            None if outputs != natural => {
                problems.push(format!("model.outputs: expected {natural}, as the targets have, got {outputs}"));
            }
            _ => {}
        }
        if classes.is_none() && config.loss.kind == saltflat_models::LossKind::CrossEntropy {
            problems.push("loss.kind: expected square, since the targets are real numbers, got cross_entropy".into());
        }
        let batch_size = match config.optimizer.batch_size {
            BatchSize::Full => n,
            BatchSize::Samples(size) => size,
        };
        if batch_size > n {
            problems.push(format!(
                "optimizer.batch_size: expected at most {n}, the number of training samples, got {batch_size}"
            ));
        }
        if let Some(samples) = config.metrics.samples.filter(|&samples| samples > n) {
            problems
                .push(format!("metrics.samples: expected at most {n}, the number of training samples, got {samples}"));
        }
        if let Some(s) = config.loss.smoothing.filter(|s| *s > 0.0 && classes.is_none()) {
            problems.push(format!("loss.smoothing: expected 0, since the targets are not classes, got {s}"));
        }
        if let Some(best) = config.train.checkpoint.best.filter(|best| best.is_of_test() && splits.test.is_none()) {
            let expected = "expected accuracy or loss, since there is no test split";
            problems.push(format!("train.checkpoint.best: {expected}, got {}", best.name()));
        }
        match config.noise.reference() {
            NoiseConfig::LabelFlip(_) | NoiseConfig::LabelSmoothing(_) if classes.is_none() => {
                problems.push("noise.kind: expected label-noise, since the targets are real numbers".into());
            }
            NoiseConfig::LabelNoise(_) if classes.is_some() => {
                problems.push("noise.kind: expected label-flip, since the targets are classes, got label-noise".into());
            }
            _ => {}
        }
        if !problems.is_empty() {
            return Err(ConfigError::problems(problems).into());
        }
        let noise = config.noise.noise();
        let smoothing = match classes {
            Some(_) => config.loss.smoothing.unwrap_or_else(|| noise.smoothing(outputs, 1.0)),
            None => 0.0,
        };
        let limit = (outputs as f64 - 1.0) / outputs as f64;
        if classes.is_some() && smoothing > 0.0 && smoothing >= limit {
            let text = format!(
                "expected labels that are right more often than any wrong class, got {smoothing} of them wrong (the limit is {limit})"
            );
            return Err(ConfigError::problems(vec![format!("noise.probability: {text}")]).into());
        }
        let loss = Loss { kind: config.loss.kind, smoothing };
        let network = config.model.architecture.build(splits.train.shape(), outputs)?;
        let standardise = splits.standardise.as_ref();
        let split = |examples| Split::new(examples, standardise, &loss, outputs, device, dtype);
        let steps_per_epoch = match config.train.drop_last {
            true => n / batch_size,
            false => n.div_ceil(batch_size),
        } as u64;
        let by_epochs = config.train.epochs.map(|epochs| epochs.saturating_mul(steps_per_epoch));
        let steps = by_epochs.into_iter().chain(config.train.steps).min().unwrap_or(0);
        Ok(Self {
            train: split(&splits.train),
            test: splits.test.as_ref().map(split),
            sources: splits.source,
            config,
            network,
            loss,
            batch_size,
            steps_per_epoch,
            steps,
            device: device.clone(),
            dtype,
        })
    }

    /// The number type of the run in words, with that of its steps where it is another one.
    pub fn precision(&self) -> String {
        let (steps, rest) = (self.config.train.precision, format!("{:?}", self.dtype).to_lowercase());
        match steps {
            Precision::F32 => rest,
            Precision::Tf32 => steps.name().into(),
            Precision::F16 | Precision::Bf16 => format!("{} in steps, {rest} otherwise", steps.name()),
        }
    }

    /// The batches of the run.
    pub fn batches(&self) -> Batches {
        let (seed, sampling) = (self.config.run.seed, self.config.optimizer.sampling);
        Batches::new(sampling, seed, self.train.len(), self.batch_size, self.steps_per_epoch.max(1))
    }

    /// Samples of one forward pass of a step.
    pub fn microbatch(&self) -> usize {
        self.config.train.microbatch.unwrap_or(MICROBATCH).min(self.batch_size)
    }

    /// The configuration with half as many samples in one pass, of a step and of a measurement: the same mathematics in half
    /// the memory. Absent where a pass has one sample, or where a network with buffers (batch normalisation) takes its
    /// statistics from a pass.
    pub fn with_half_the_microbatch(&self) -> Option<Config> {
        let metrics = &self.config.metrics;
        let metrics = if metrics.is_on() { metrics.microbatch.min(self.train.len()) } else { 1 };
        let train = self.microbatch();
        if train.max(metrics) < 2 || !self.network.layout().buffers.is_empty() {
            return None;
        }
        let mut config = self.config.clone();
        config.train.microbatch = Some((train / 2).max(1));
        config.metrics.microbatch = (metrics / 2).max(1);
        Some(config)
    }
}
