//! A configuration that was checked against the sizes of its data.

use saltflat_config::Problem;
use saltflat_data::{BatchSampling, Summary};
use saltflat_models::{Loss, LossKind, Network};
use saltflat_noise::SuitableTargets;

use crate::{
    TrainError,
    config::{BatchSize, Config, ConfigError, MeasuredSplit},
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
        let [loss, measured] = losses(config, classes, outputs, &mut problems);
        let mut problem = |key: &str, text: String| problems.push(Problem::new(key, text));
        let batch_size = match config.optimizer.batch_size {
            BatchSize::Full => n,
            BatchSize::Samples(size) => size,
        };
        let split = config.metrics.split;
        let of_split = match split {
            MeasuredSplit::Train => Some(n),
            MeasuredSplit::Test => data.test,
        };
        if of_split.is_none() {
            problem("metrics.split", "expected train, since there is no test split, got test".into());
        }
        for (key, words, most, got) in [
            ("optimizer.batch_size", "training", Some(n), Some(batch_size)),
            ("metrics.samples", split.in_words(), of_split, config.metrics.samples),
        ] {
            if let (Some(most), Some(got)) = (most, got.filter(|&got| most.is_some_and(|most| got > most))) {
                problem(key, format!("expected at most {most}, the number of {words} samples, got {got}"));
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

/// The loss that is trained on, whose expectation training descends on, smoothed if the noise flips labels; and the measured one
/// (`metrics.loss`; what it does not say is as trained). The targets are this many classes, or real numbers; `outputs` is what the
/// network has. Adds everything that the targets do not allow to the problems.
fn losses(config: &Config, classes: Option<usize>, outputs: usize, problems: &mut Vec<Problem>) -> [Loss; 2] {
    let implied = || if classes.is_some() { config.noise.smoothing(outputs) } else { 0.0 };
    let given = config.metrics.loss.unwrap_or_default();
    let of_config = config.loss.smoothing(outputs);
    let smoothing = of_config.unwrap_or_else(implied);
    let trained = Loss { kind: config.loss.kind, smoothing };
    let measured = Loss {
        kind: given.kind.unwrap_or(trained.kind),
        smoothing: given.smoothing(outputs).unwrap_or(trained.smoothing),
    };
    let of_targets = config.noise.of_targets().map(|one| &one.noise);
    let source = match of_targets.filter(|_| of_config.is_none()) {
        Some(noise) => {
            config.noise.key_of(noise, if noise.reference().is_none() { "probability" } else { "like.probability" })
        }
        None => format!("loss.{}", config.loss.smoothing_key()),
    };
    let limit = (outputs as f64 - 1.0) / outputs as f64;
    // Where there are no classes, `label_smoothing` is refused as it was given.
    let mut check = |kind: Option<LossKind>, smoothing: Option<f64>, section: &str, source: &str| {
        let smoothing = smoothing.filter(|s| *s > 0.0);
        if classes.is_some() {
            if let Some(s) = smoothing.filter(|s| *s >= limit) {
                let text = format!(
                    "expected labels that are right more often than any wrong class, got {s} of them wrong (the limit is {limit})"
                );
                problems.push(Problem::new(source, text));
            }
            return;
        }
        if kind == Some(LossKind::CrossEntropy) {
            let text = "expected square, since the targets are real numbers, got cross_entropy";
            problems.push(Problem::new(format!("{section}.kind"), text));
        }
        if let Some(s) = smoothing {
            let text = format!("expected 0, since the targets are not classes, got {s}");
            problems.push(Problem::new(source, text));
        }
    };
    let of_classes = |smoothing: Option<f64>, label_smoothing: Option<f64>| match classes {
        Some(_) => smoothing,
        None => label_smoothing.or(smoothing),
    };
    check(Some(trained.kind), of_classes(Some(smoothing), config.loss.label_smoothing), "loss", &source);
    let measured_source = format!("metrics.loss.{}", given.smoothing_key());
    check(given.kind, of_classes(given.smoothing(outputs), given.label_smoothing), "metrics.loss", &measured_source);
    // Only the data may tell the number of classes; what the configuration tells was checked when it was read.
    let flips = of_targets.is_some_and(|noise| noise.properties().suitable_targets == SuitableTargets::Classes);
    // A schedule may make the probability larger than the configured one.
    if let (true, Some(one)) = (flips && classes.is_some(), config.noise.of_targets()) {
        let factor = one.schedule.largest_factor(&config.train);
        let [first, largest] = [1.0, factor].map(|factor| one.noise.smoothing(outputs, factor));
        if first < limit && largest >= limit {
            let text = format!(
                "expected labels that are right more often than any wrong class at every step, got {largest} of them wrong \
                 where the schedule has multiplied {first} by {factor} (the limit is {limit})"
            );
            problems.push(Problem::new(config.noise.key_of(&one.noise, "schedule.factor"), text));
        }
    }
    let is_implied = || trained.is_same_as(&Loss { smoothing: implied(), ..trained });
    if let Some(given) = of_config.filter(|_| flips && classes.is_some() && !is_implied()) {
        let text = config.loss.not_implied(implied(), given, Some(outputs));
        problems.push(Problem::new(format!("loss.{}", config.loss.smoothing_key()), text));
    }
    [trained, measured]
}
