//! A configuration that was checked against the sizes of its data.

use saltflat_config::Problem;
use saltflat_data::{BatchSampling, Summary};
use saltflat_models::{Loss, Network};
use saltflat_noise::SuitableTargets;

use crate::{
    TrainError,
    config::{BatchSize, Config, ConfigError},
    losses::Losses,
};

/// What a configuration and the sizes of its data make together, before any sample is read: what a study asks of its runs
/// before the first one starts.
#[derive(Debug)]
pub struct Outline {
    /// The network f(x; θ).
    pub network: Network,
    /// As [`Plan::loss`](crate::Plan::loss).
    pub loss: Loss,
    /// As [`Plan::measured_loss`](crate::Plan::measured_loss).
    pub measured: Loss,
    /// Samples of one step.
    pub batch_size: usize,
    /// Steps of one epoch.
    pub steps_per_epoch: u64,
    /// Steps of the whole run, if nothing stops it before.
    pub steps: u64,
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
        let outputs = config.model.outputs.unwrap_or(natural);
        match classes {
            Some(classes) if outputs < classes => {
                let text = format!("expected at least {classes}, a number for each class, got {outputs}");
                problems.push(Problem::new("model.outputs", text));
            }
            None if outputs != natural => {
                let text = format!("expected {natural}, as the targets have, got {outputs}");
                problems.push(Problem::new("model.outputs", text));
            }
            _ => {}
        }
        let Losses { trained: loss, measured } = Losses::new(config, classes, outputs, &mut problems);
        let mut problem = |key: &str, text: String| problems.push(Problem::new(key, text));
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
            let text = match (one.noise.properties().suitable_targets, classes) {
                (SuitableTargets::Classes, None) => "expected label-noise, since the targets are real numbers".into(),
                (SuitableTargets::RealNumbers, Some(_)) => {
                    let expected = "expected label-flip, since the targets are classes, got";
                    format!("{expected} {}", one.noise.reference_or_self().name())
                }
                (SuitableTargets::Any, _)
                | (SuitableTargets::Classes, Some(_))
                | (SuitableTargets::RealNumbers, None) => continue,
            };
            problem(&config.noise.key_of(&one.noise, "kind"), text);
        }
        if !problems.is_empty() {
            return Err(ConfigError::new(problems).into());
        }
        let network = config.model.architecture.build(data.shape, outputs)?;
        let steps_per_epoch = match config.train.drop_last {
            true => n / batch_size,
            false => n.div_ceil(batch_size),
        } as u64;
        let steps = config.train.total_steps(steps_per_epoch);
        let outline = Self { network, loss, measured, batch_size, steps_per_epoch, steps };
        let problems = outline.batch_norm_problems(config, n);
        if !problems.is_empty() {
            return Err(ConfigError::new(problems).into());
        }
        Ok(outline)
    }

    /// Everything that cannot be trained with batch normalisation: its statistics are those of all samples of a step, so that a step is one
    /// pass, and a variance needs two values. A run without steps, which only measures, has no batches.
    fn batch_norm_problems(&self, config: &Config, samples: usize) -> Vec<Problem> {
        let Some(positions) = self.network.coupled_positions().filter(|_| self.steps > 0) else { return Vec::new() };
        let mut found = Vec::new();
        let size = self.batch_size;
        // Samples of the last step of an epoch, if the run makes it and it has fewer than the others.
        let has_smaller_last = self.steps >= self.steps_per_epoch && self.steps_per_epoch > (samples / size) as u64;
        let last = if has_smaller_last { samples % size } else { size };
        if config.optimizer.sampling == BatchSampling::Bernoulli {
            let text = "expected epoch or independent with batch normalisation, whose statistics need samples in every batch, got bernoulli";
            found.push(Problem::new("optimizer.sampling", text));
        }
        if let Some(microbatch) = config.train.microbatch.filter(|&microbatch| microbatch < size) {
            let text = format!(
                "expected nothing, or at least the batch of {size} samples, whose statistics batch normalisation takes in one pass, got \
                 {microbatch}; a smaller optimizer.batch_size or model.norm = \"group\" takes less memory"
            );
            found.push(Problem::new("train.microbatch", text));
        }
        // Of a single value the variance is 0, and so is what is normalised by it, whatever the value.
        if positions == 1 && size == 1 {
            let text = "expected at least 2 samples, since a layer of batch normalisation sees images of 1 × 1, and one value per channel has no \
                        variance, got 1";
            found.push(Problem::new("optimizer.batch_size", text));
        } else if positions == 1 && config.optimizer.sampling == BatchSampling::Epoch && last == 1 {
            let text = format!(
                "the last batch of an epoch has 1 sample ({samples} samples in batches of {size}), and a layer of batch normalisation, which sees images \
                 of 1 × 1, needs more than one value per channel; set train.drop_last = true or another batch size"
            );
            found.push(Problem::new("optimizer.batch_size", text));
        }
        found
    }
}
